"""The enums that schema.yaml refers to, read from the application's own modules.

The modules are imported afresh each time, and apart: what is in use under the same names is put back afterwards, so
that no type is swapped under a running program, and an edit is seen without a new process.
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
from waiaas_migrate.files.problem_report import Origin, Report, shown, suggestion
from waiaas_migrate.files.yaml_text.scalars import LARGEST_INTEGER, SMALLEST_INTEGER

#: Packages that an environment inside the project's folder holds; they are not the project's own.
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumDefinition:
    """A name in a module. ``problem`` says why it cannot be used as an enum; it is empty where it can."""

    name: str
    module: str
    values: tuple[str | int, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEnums:
    """All that the named modules define."""

    modules: tuple[str, ...] = ()
    definitions: tuple[EnumDefinition, ...] = ()

    def find(self, name: str) -> EnumDefinition | None:
        """The enum called ``name``, or None; one that cannot be used says why in its ``problem``."""
        found = [definition for definition in self.definitions if definition.name == name]
        if len({definition.values for definition in found}) > 1:
            modules = " and ".join(f"`{definition.module}`" for definition in found)
            return EnumDefinition(name=name, module=found[0].module, problem=f"it means different things in {modules}")
        return found[0] if found else None

    def usable(self) -> tuple[str, ...]:
        """The names that can be referred to."""
        return tuple(definition.name for definition in self.definitions if not definition.problem)


def load_enums(modules: Sequence[tuple[str, Origin]], *, root: Path) -> LoadedEnums:
    """Everything in ``modules`` that an enum reference may name.

    That is an ``enum.Enum`` subclass (its values), a ``typing.Literal``, or a tuple or list of strings or integers.

    Args:
        modules: Dotted names, each with the place that names it.
        root: The project's folder; it, and a ``src`` folder in it, are on ``sys.path`` for the duration.

    Raises:
        SchemaFileError: Where modules cannot be imported; all of them are named.
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
        report.add(origin, f"`{shown(name)}` is no module name.", "Write it as in `import`, such as `app.enums`.")
        return None
    try:
        # A module that prints must not print into the data on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            fix = f"It is looked for in {root} and among the installed packages; correct the name, or install it."
            what = f"there is no module `{name}`"
            report.add(origin, f"{what}." if error.name == name else f"{what}: not even `{error.name}`.", fix)
        else:
            _add_failure(name, error, origin, report)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (the application's module may raise anything, SystemExit too)
        _add_failure(name, error, origin, report)
    return None


def _add_failure(name: str, error: BaseException, origin: Origin, report: Report) -> None:
    report.add(
        origin, f"the module `{name}` fails on import: {_said(error)}.", f"Make `python -c 'import {name}'` work."
    )


def _said(error: BaseException) -> str:
    """Return the class of an error of the application's, and its message if it has one."""
    try:
        message = shown(str(error), 200)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 (an exception need not be able to say what it is)
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@contextlib.contextmanager
def _fresh_imports(names: Sequence[str], root: Path) -> Iterator[None]:
    """Import from ``root`` first, from source, and leave nothing of it behind."""
    folder = root.resolve()
    tops = {name.partition(".")[0] for name in names}
    own_tops = {top for top in tops if any(_holds(place, top) for place in (folder, folder / "src"))}

    def is_own(name: str, module: ModuleType | None) -> bool:
        top = name.partition(".")[0]
        return name != "__main__" and (top in own_tops or _is_inside(module, folder))

    before = {name: module for name, module in sys.modules.items() if is_own(name, module)}
    path, finder, bytecode = list(sys.path), _FreshFinder(folder), sys.dont_write_bytecode
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
        for name in [name for name, module in sys.modules.items() if is_own(name, module)]:
            del sys.modules[name]
        sys.modules.update(before)


def _holds(folder: Path, top: str) -> bool:
    return (folder / f"{top}.py").is_file() or (folder / top).is_dir()


def _is_inside(module: ModuleType | None, folder: Path) -> bool:
    """Whether a module is the project's own: in its folder, and not of an environment that lies there."""
    found = getattr(module, "__file__", None)
    places = [found] if isinstance(found, str) else []
    if not places and isinstance(module, ModuleType):
        places = [place for place in getattr(module, "__path__", ()) if isinstance(place, str)]
    return any(_is_own_file(place, folder) for place in places)


def _is_own_file(place: str, folder: Path) -> bool:
    path = Path(place)
    return path.is_relative_to(folder) and _INSTALLED.isdisjoint(path.relative_to(folder).parts)


class _SourceLoader(SourceFileLoader):
    """Compiles the source each time: a cached .pyc of the same second and size would hide an edit."""

    def get_code(self, fullname: str) -> typing.Any:  # noqa: ANN401 (as the base class has it)
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _FreshFinder:
    """Finds modules as usual, and reads those of the project from their source."""

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


def _definitions(module: ModuleType, module_name: str) -> Iterator[EnumDefinition]:
    for name, thing in list(vars(module).items()):
        if name.startswith("__") or isinstance(thing, ModuleType):
            continue
        try:
            values = _normal(_raw_values(thing))
        except _NotUsable as reason:
            yield EnumDefinition(name=name, module=module_name, problem=str(reason))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 (a lazy alias or a metaclass may raise anything, SystemExit too)
            problem = f"it cannot be read: {_said(error)}"
            yield EnumDefinition(name=name, module=module_name, problem=problem)
        else:
            yield EnumDefinition(name=name, module=module_name, values=values)


#: What to do about flags.
_FLAGS = "use an integer column, such as `{type: integer, check: a BETWEEN 0 AND 7}`"


class _NotUsable(Exception):
    """Why a thing in a module is no enum."""


def _raw_values(thing: object) -> tuple[object, ...]:
    # `type X = Literal[…]` (Python 3.12) is an alias that is evaluated when first asked.
    thing = getattr(thing, "__value__", thing) if type(thing).__name__ == "TypeAliasType" else thing
    if isinstance(thing, type) and issubclass(thing, enum.Flag):
        raise _NotUsable(f"it is an `enum.Flag`, and a list of its values would refuse combinations of them ({_FLAGS})")
    if isinstance(thing, type) and issubclass(thing, enum.Enum):
        return tuple(member.value for member in thing)
    if typing.get_origin(thing) is typing.Literal:
        return typing.get_args(thing)
    if isinstance(thing, tuple | list):
        return tuple(thing)
    kind = thing.__name__ if isinstance(thing, type) else type(thing).__name__
    raise _NotUsable(f"it is no enum, Literal, tuple or list (but `{kind}`)")


def _normal(values: tuple[object, ...]) -> tuple[str | int, ...]:
    """``values`` as plain strings and integers.

    Raises:
        _NotUsable: Where they cannot be the list of a CHECK.
    """
    if any(isinstance(value, enum.Flag) for value in values):
        raise _NotUsable(f"it has a member of an `enum.Flag`, whose members can be combined ({_FLAGS})")
    plain = tuple(_plain(value.value if isinstance(value, enum.Enum) else value) for value in values)
    if problem := value_list_problem(plain):
        raise _NotUsable(problem)
    return plain


def _plain(value: object) -> str | int:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise _NotUsable(f"its value {shown(repr(value))} is neither a string nor an integer")


def value_list_problem(values: Sequence[str | int]) -> str:
    """Why ``values`` cannot be the list of a CHECK, or an empty string."""
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
            return f"its value {shown(repr(value))} contains a character that SQL text cannot hold"
    return ""


def unknown_enum(name: str, enums: LoadedEnums) -> tuple[str, str]:
    """What is wrong with a reference to ``name``, which is nowhere, and what to do."""
    if not enums.modules:
        return f"there is no enum `{name}`.", "Name the module that defines it: `enums: app.enums`."
    where = ", ".join(f"`{module}`" for module in enums.modules)
    return f"there is no enum `{name}` in {where}.", suggestion(name, enums.usable(), "Define it there.")
