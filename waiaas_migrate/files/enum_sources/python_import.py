"""Import Python modules to read enums whose values are computed.

The modules are imported from source each time, so that edits take effect without a new process. Afterwards they are
removed from ``sys.modules``. Modules of the same names that the running program had imported are put back, so that the
classes of the program stay the same.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.application_code import ApplicationError, application_code
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition, Shape, value_list_problem
from waiaas_migrate.files.enum_sources.python_text import parse_python
from waiaas_migrate.files.problem_report import Origin, Report, shown
from waiaas_migrate.files.text_file import display_name, read_text

#: The folders of installed packages, which don't belong to the project even if its folder contains them.
_INSTALLED = frozenset({"site-packages", "dist-packages"})
#: The fix for an ``enum.Flag``.
_FLAG_FIX = "use an integer column, such as `{type: integer, check: a BETWEEN 0 AND 7}`"


def imported_enums(modules: Sequence[tuple[str, str, Origin]], root: Path, report: Report) -> Iterator[EnumDefinition]:
    """Yield a definition for each name in ``modules``, perhaps with a problem; report modules that can't be imported.

    Each of ``modules`` is the name of a source, its module, and the place that names the source. During the imports,
    ``root`` and its ``src`` folder are on ``sys.path``.
    """
    if not modules:
        return
    with _fresh_imports([name for _, name, _ in modules], root):
        for source, name, origin in modules:
            module = _import(name, origin, report, root)
            if module is not None:
                yield from (replace(definition, module=name) for definition in _definitions(module, source, root))


def _import(name: str, origin: Origin, report: Report, root: Path) -> ModuleType | None:
    try:
        with application_code():
            return importlib.import_module(name)
    except ApplicationError as error:
        missing = error.__cause__.name if isinstance(error.__cause__, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            fix = f"It is looked up in {root} and among the installed packages. Correct the name, or install it."
            report.add(origin, f"no module `{missing}`.", fix)
        else:
            report.add(origin, f"can't import the module `{name}`: {error}.", f"Make `python -c 'import {name}'` work.")
        return None


@contextlib.contextmanager
def _fresh_imports(names: Sequence[str], root: Path) -> Iterator[None]:
    """Make imports in the block load the project's modules from source; then restore sys.path and sys.modules."""
    folder = root.resolve()
    tops = {name.partition(".")[0] for name in names}
    folders = (folder, folder / "src")
    project_tops = {top for top in tops for base in folders if (base / f"{top}.py").is_file() or (base / top).is_dir()}

    def project_modules() -> dict[str, ModuleType]:
        return {
            name: module
            for name, module in sys.modules.items()
            if name != "__main__" and (name.partition(".")[0] in project_tops or _is_inside(module, folder))
        }

    before = project_modules()
    path, finder = list(sys.path), _SourceFinder(folder)
    try:
        for name in before:
            del sys.modules[name]
        sys.path[:0] = map(str, folders)
        sys.meta_path.insert(0, finder)
        importlib.invalidate_caches()
        yield
    finally:
        sys.path[:] = path
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        for name in project_modules():
            del sys.modules[name]
        sys.modules.update(before)


def _is_inside(module: ModuleType | None, folder: Path) -> bool:
    """Return whether a module belongs to the project: it is in ``folder``, but not among installed packages."""
    file = getattr(module, "__file__", None)
    paths = [file] if isinstance(file, str) else list(getattr(module, "__path__", ()))
    return any(isinstance(path, str) and _is_project_path(path, folder) for path in paths)


def _is_project_path(name: str, folder: Path) -> bool:
    path = Path(name)
    return path.is_relative_to(folder) and _INSTALLED.isdisjoint(path.relative_to(folder).parts)


class _SourceLoader(SourceFileLoader):
    """Compiles the source each time, because a cached .pyc hides an edit within a second that keeps the size."""

    def path_stats(self, path: str) -> typing.Never:
        raise OSError(path)  # if the time and size of the source are unknown, Python doesn't use the cache


class _SourceFinder:
    """Finds modules as Python does, and loads those of the project with :class:`_SourceLoader`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec and isinstance(spec.loader, SourceFileLoader) and _is_project_path(spec.loader.path, self._folder):
            spec.loader = _SourceLoader(name, spec.loader.path)
            return spec
        return None


class _NotUsable(ApplicationError):
    """The reason that a name in a module can't be used as an enum."""


def _definitions(module: ModuleType, source: str, root: Path) -> Iterator[EnumDefinition]:
    places = _places(module, root)
    for name, thing in list(vars(module).items()):
        if not name.startswith("__") and not isinstance(thing, ModuleType):
            at = places.get(name, Origin(file=source))
            yield _completed(EnumDefinition(name=name, source=source, at=at, shape="other"), thing)


def _completed(definition: EnumDefinition, thing: object) -> EnumDefinition:
    """Return ``definition`` with the shape and values of ``thing``, the object of that name, or with a problem."""
    try:
        with application_code():  # a lazy alias or a metaclass may raise anything
            if type(thing).__name__ == "TypeAliasType":  # `type X = Literal[…]` of Python 3.12, evaluated only now
                thing = getattr(thing, "__value__", thing)
            definition = replace(definition, shape=_shape(thing))
            values = _raw_values(thing)
            members: list[enum.Enum] = list(thing) if isinstance(thing, enum.EnumMeta) else []
            definition = replace(definition, members=tuple(member.name for member in members))
            return replace(definition, values=_plain_values(values))
    except _NotUsable as error:
        return replace(definition, problem=str(error))
    except ApplicationError as error:
        return replace(definition, problem=f"it can't be read: {error}")


def _places(module: ModuleType, root: Path) -> dict[str, Origin]:
    """Return the places at which a module binds its names, as far as its source shows them."""
    path = Path(getattr(module, "__file__", None) or "")
    if path.suffix != ".py":
        return {}
    file = display_name(path, root)
    text = read_text(path, file, missing="")
    names = {} if isinstance(text, Problem) else parse_python(text, path, file).names
    return {name: Origin(file=file, line=value.at[0], column=value.at[1]) for name, value in names.items()}


def _shape(thing: object) -> Shape:
    if isinstance(thing, enum.EnumMeta):
        return "class"
    if isinstance(thing, tuple | list):
        return "list"
    return "type" if typing.get_origin(thing) is typing.Literal else "other"


def _raw_values(thing: object) -> tuple[object, ...]:
    """Return the values of an enum class, a Literal, a tuple or a list; refuse any other object."""
    if isinstance(thing, type) and issubclass(thing, enum.Flag):
        problem = "it is an `enum.Flag`, and a list of its values would refuse combinations of them"
        raise _NotUsable(f"{problem} ({_FLAG_FIX})")
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        return tuple(member.value for member in thing)
    if typing.get_origin(thing) is typing.Literal:
        return typing.get_args(thing)
    if isinstance(thing, tuple | list):
        return tuple(thing)
    kind = thing.__name__ if isinstance(thing, type) else type(thing).__name__
    raise _NotUsable(f"it is not an enum, Literal, tuple or list (but `{kind}`)")


def _plain_values(values: tuple[object, ...]) -> tuple[str | int, ...]:
    """Return ``values`` as plain strings and integers; refuse values that a CHECK can't list."""
    if any(isinstance(value, enum.Flag) for value in values):
        raise _NotUsable(f"it has a member of an `enum.Flag`, whose members can be combined ({_FLAG_FIX})")
    plain: list[str | int] = []
    for value in (value.value if isinstance(value, enum.Enum) else value for value in values):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _NotUsable(f"its value {shown(repr(value))} is neither a string nor an integer")
        plain.append(str.__str__(value) if isinstance(value, str) else int(value))
    if problem := value_list_problem(plain):
        raise _NotUsable(problem)
    return tuple(plain)
