"""Load the enums that schema.yaml refers to from the application's modules.

The modules are imported from source each time and removed afterwards; modules that are in use under the same names are
put back. So no type is replaced under a running program, and an edit is seen without a new process.
"""

from __future__ import annotations

import contextlib
import enum
import importlib
import sys
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.application_code import ApplicationError, application_code
from waiaas_migrate.files.problem_report import Origin, Report, shown, suggestion
from waiaas_migrate.files.yaml_text.scalars import LARGEST_INTEGER, SMALLEST_INTEGER

#: Packages of an environment inside the project's folder; they are not the project's own.
_INSTALLED = frozenset({"site-packages", "dist-packages"})
#: The fix for flags.
_FLAGS = "use an integer column, such as `{type: integer, check: a BETWEEN 0 AND 7}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumDefinition:
    """A name in a module. ``problem`` says why its values can't be used as an enum; it is empty if they can.

    ``members`` are the names of the members of an ``enum.Enum``, which SQLAlchemy stores by default. ``is_literal``: it
    is a ``typing.Literal``.
    """

    name: str
    module: str
    values: tuple[str | int, ...] = ()
    members: tuple[str, ...] = ()
    is_literal: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEnums:
    """Everything that the named modules define."""

    modules: tuple[str, ...] = ()
    definitions: tuple[EnumDefinition, ...] = ()

    def find(self, name: str) -> EnumDefinition | None:
        """Return the definition of ``name``, which may have a ``problem``; None if there is none."""
        found = [definition for definition in self.definitions if definition.name == name]
        if len({definition.values for definition in found}) > 1:
            modules = " and ".join(f"`{definition.module}`" for definition in found)
            return EnumDefinition(name=name, module=found[0].module, problem=f"it has different values in {modules}")
        return found[0] if found else None

    def usable(self) -> tuple[str, ...]:
        """Return the names that can be referred to."""
        return tuple(definition.name for definition in self.definitions if not definition.problem)


def load_enums(modules: Sequence[tuple[str, Origin]], *, root: Path) -> LoadedEnums:
    """Load everything in ``modules`` that an enum reference may name.

    That is an ``enum.Enum`` subclass (its values), a ``typing.Literal``, or a tuple or list of strings or integers.
    Each of ``modules`` comes with the place that names it. During the imports, ``root`` and its ``src`` folder are on
    ``sys.path``.

    Raises:
        SchemaFileError: lists a problem for each module that can't be imported.
    """
    report = Report()
    definitions: list[EnumDefinition] = []
    with _fresh_imports([name for name, _ in modules], root):
        for name, origin in modules:
            module = _import(name, origin, report, root)
            if module is not None:
                definitions += _definitions(module, name)
    if problems := report.problems():
        raise SchemaFileError(problems)
    return LoadedEnums(modules=tuple(name for name, _ in modules), definitions=tuple(definitions))


def _import(name: str, origin: Origin, report: Report, root: Path) -> ModuleType | None:
    if not all(part.isidentifier() for part in name.split(".")):
        report.add(origin, f"`{shown(name)}` is not a module name.", "Write a name such as `app.enums`.")
        return None
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
    """Import from ``root`` first; restore sys.path and the project's modules later."""
    folder = root.resolve()
    tops = {name.partition(".")[0] for name in names}
    places = (folder, folder / "src")
    own_tops = {top for top in tops for place in places if (place / f"{top}.py").is_file() or (place / top).is_dir()}

    def own_modules() -> dict[str, ModuleType]:
        return {
            name: module
            for name, module in sys.modules.items()
            if name != "__main__" and (name.partition(".")[0] in own_tops or _is_inside(module, folder))
        }

    before = own_modules()
    path, finder, bytecode = list(sys.path), _SourceFinder(folder), sys.dont_write_bytecode
    try:
        for name in before:
            del sys.modules[name]
        sys.path[:0] = [str(folder), *([str(folder / "src")] if (folder / "src").is_dir() else [])]
        sys.meta_path.insert(0, finder)
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        yield
    finally:
        sys.dont_write_bytecode = bytecode
        sys.path[:] = path
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        for name in own_modules():
            del sys.modules[name]
        sys.modules.update(before)


def _is_inside(module: ModuleType | None, folder: Path) -> bool:
    """Return whether a module is the project's own: a module or package in its folder."""
    file = getattr(module, "__file__", None)
    places = [file] if isinstance(file, str) else list(getattr(module, "__path__", ()))
    return any(isinstance(place, str) and _is_own_file(place, folder) for place in places)


def _is_own_file(place: str, folder: Path) -> bool:
    path = Path(place)
    return path.is_relative_to(folder) and _INSTALLED.isdisjoint(path.relative_to(folder).parts)


class _SourceLoader(SourceFileLoader):
    """Compiles the source each time: a cached .pyc of the same second and size would hide an edit."""

    def get_code(self, fullname: str) -> typing.Any:  # noqa: ANN401 — as the base class has it
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _SourceFinder:
    """Finds modules as usual, and loads those of the project from their source."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or not spec.origin:
            return None
        if not _is_own_file(spec.origin, self._folder):
            return None
        spec.loader = _SourceLoader(name, spec.origin)
        return spec


class _NotUsable(ApplicationError):
    """The reason that a name in a module can't be used as an enum."""


def _definitions(module: ModuleType, module_name: str) -> Iterator[EnumDefinition]:
    for name, thing in list(vars(module).items()):
        if name.startswith("__") or isinstance(thing, ModuleType):
            continue
        values: tuple[str | int, ...] = ()
        members: tuple[str, ...] = ()
        is_literal = False
        problem = ""
        try:
            with application_code():  # a lazy alias or a metaclass may raise anything
                is_literal = typing.get_origin(_unwrapped(thing)) is typing.Literal
                members = _members(thing)
                values = _plain_values(_raw_values(thing))
        except _NotUsable as error:
            problem = str(error)
        except ApplicationError as error:
            problem = f"it can't be read: {error}"
        yield EnumDefinition(
            name=name,
            module=module_name,
            values=values,
            members=members,
            is_literal=is_literal,
            problem=problem,
        )


def _members(thing: object) -> tuple[str, ...]:
    """Return the names of the members of an ``enum.Enum`` whose members can't be combined."""
    is_enum = isinstance(thing, type) and issubclass(thing, enum.Enum) and not issubclass(thing, enum.Flag)
    return tuple(member.name for member in thing) if is_enum else ()  # type: ignore[attr-defined]


def _unwrapped(thing: object) -> object:
    # `type X = Literal[…]` (Python 3.12) is an alias that is evaluated when first asked.
    return getattr(thing, "__value__", thing) if type(thing).__name__ == "TypeAliasType" else thing


def _raw_values(thing: object) -> tuple[object, ...]:
    thing = _unwrapped(thing)
    if isinstance(thing, type) and issubclass(thing, enum.Flag):
        raise _NotUsable(f"it is an `enum.Flag`, and a list of its values would refuse combinations of them ({_FLAGS})")
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        return tuple(member.value for member in thing)
    if typing.get_origin(thing) is typing.Literal:
        return typing.get_args(thing)
    if isinstance(thing, tuple | list):
        return tuple(thing)
    kind = thing.__name__ if isinstance(thing, type) else type(thing).__name__
    raise _NotUsable(f"it is not an enum, Literal, tuple or list (but `{kind}`)")


def _plain_values(values: tuple[object, ...]) -> tuple[str | int, ...]:
    """Return ``values`` as plain strings and integers.

    Raises:
        _NotUsable: they can't be the list of a CHECK.
    """
    if any(isinstance(value, enum.Flag) for value in values):
        raise _NotUsable(f"it has a member of an `enum.Flag`, whose members can be combined ({_FLAGS})")
    plain: list[str | int] = []
    for value in (value.value if isinstance(value, enum.Enum) else value for value in values):
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _NotUsable(f"its value {shown(repr(value))} is neither a string nor an integer")
        plain.append(str.__str__(value) if isinstance(value, str) else int(value))
    if problem := value_list_problem(plain):
        raise _NotUsable(problem)
    return tuple(plain)


def value_list_problem(values: Sequence[str | int]) -> str:
    """Return why ``values`` can't be the list of a CHECK, or an empty string."""
    if not values:
        return "it has no values"
    seen: set[str | int] = set()
    for value in values:
        if value in seen:
            return f"its value {shown(repr(value))} is there twice"
        seen.add(value)
        if isinstance(value, int):
            if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
                return f"its value {value} does not fit into SQLite's 64 bits"
        elif "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            return f"its value {shown(repr(value))} contains a character that SQL text can't hold"
    return ""


def unknown_enum(name: str, enums: LoadedEnums) -> tuple[str, str]:
    """Return the problem of a reference to the undefined enum ``name``, and its fix."""
    if not enums.modules:
        return f"unknown enum `{name}`.", "Name the module that defines it, such as `enums: app.enums`."
    where = " or ".join(f"`{module}`" for module in enums.modules)
    return f"unknown enum `{name}`.", suggestion(name, enums.usable(), f"Define it in {where}.")
