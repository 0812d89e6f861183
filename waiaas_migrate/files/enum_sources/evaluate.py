"""Find the values of an enum that is written in literals: follow references, spreads, imports and re-exports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition, Shape, value_list_problem
from waiaas_migrate.files.enum_sources.expressions import (
    Computed,
    Constant,
    Expression,
    Import,
    Items,
    Members,
    Module,
    Name,
    Position,
    Spread,
)
from waiaas_migrate.files.problem_report import Origin, shown
from waiaas_migrate.files.text_file import display_name, read_text

#: The most references to follow from name to name; a longer chain is taken for a cycle.
_LONGEST_CHAIN = 100
#: The limit on values, because nested spreads can double a list repeatedly.
_MOST_VALUES = 100_000


class Language(NamedTuple):
    """How files of a language are read.

    Args:
        parse: returns the names in a file, given its text, its path, and its name in messages.
        locate: returns the file of a module that a file imports, relative to the project's folder; None if unknown.
        lists: for messages: what an enum must be, and the fix if it isn't.
        values: for messages: what each value must be, and the fix if it isn't.
    """

    parse: Callable[[str, Path, str], Module]
    locate: Callable[[str, Path, Path], Path | None]
    lists: tuple[str, str]
    values: tuple[str, str]


class NotLiteral(Exception):
    """An enum is not written in literals, or its definition can't be found."""

    def __init__(self, problem: str, at: Origin, fix: str = "") -> None:
        super().__init__(problem)
        self.problem, self.at, self.fix = problem, at, fix


class _Found(NamedTuple):
    """A value, the name of its member, and its place."""

    value: str | int
    member: str
    at: Origin


class _Target(NamedTuple):
    """An expression and its module. If the expression is None, this is the whole module."""

    expression: Expression | None
    module: Module


class Evaluator:
    """Reads the files of one project; each file is read once."""

    def __init__(self, languages: Mapping[str, Language], root: Path) -> None:
        self._languages, self._root = languages, root
        self._modules: dict[Path, Module] = {}
        #: The values of each list by its expression, which lives as long as its module.
        self._lists: dict[int, list[_Found]] = {}
        self._depth = 0

    def module(self, path: Path, *, missing: str = "") -> Module:
        """Return the names of a file; ``missing`` is the fix if the file does not exist.

        Raises:
            SchemaFileError: the file can't be read.
        """
        if path not in self._modules:
            file = display_name(path, self._root)
            text = read_text(path, file, missing=missing)
            if isinstance(text, Problem):
                raise SchemaFileError([text])
            self._modules[path] = self._languages[path.suffix].parse(text, path, file)
        return self._modules[path]

    def names(self, module: Module) -> Iterator[str]:
        """Yield the names that ``module`` exports, and those that it re-exports from other modules."""
        for one in self._parts(module, {}):
            for name, found in one.names.items():
                is_module = isinstance(found, Import) and not found.name
                if (one.exported is None or name in one.exported) and not is_module and not name.startswith("__"):
                    yield name

    def _parts(self, module: Module, seen: dict[Path, Module]) -> Iterator[Module]:
        """Yield ``module`` and the modules that it re-exports as a whole; skip unreadable ones."""
        if module.path in seen:
            return
        seen[module.path] = module
        yield module
        for star in module.stars:
            with suppress(NotLiteral):
                yield from self._parts(self._imported_module(star, module), seen)

    def definition(self, module: Module, name: str, source: str) -> EnumDefinition | None:
        """Return the definition of ``name`` in ``module``, perhaps with a problem; None if it is missing."""
        at, shape = Origin(file=module.file), _shape(_Target(None, module))
        found: list[_Found] = []
        try:
            target = self._lookup(module, name)
            if target is None:
                return None
            at = _origin(target)
            is_type = self._is_type(target, name)
            target = self._followed(target)
            shape, at = "type" if is_type else _shape(target), _origin(target)
            found = self._values(target)
            problem, fix = value_list_problem([one.value for one in found]), ""
        except NotLiteral as error:
            problem, at, fix = error.problem, error.at, error.fix
        return EnumDefinition(
            name=name,
            source=source,
            at=at,
            values=tuple(one.value for one in found) if not problem else (),
            places=tuple(one.at for one in found) if not problem else (),
            members=tuple(one.member for one in found) if shape == "class" else (),
            shape=shape,
            problem=problem,
            fix=fix,
        )

    def _is_type(self, target: _Target, name: str) -> bool:
        """Return whether ``name`` is a type where it is declared, perhaps in another file."""
        with self._deeper(target):
            if isinstance(target.expression, Import) and (original := target.expression.name):
                return self._is_type(self._referred(target.expression, target.module), original)
            return name in target.module.types

    def _values(self, target: _Target) -> list[_Found]:
        """Return the values of a list or a class."""
        with self._deeper(target):
            expression, module = target = self._followed(target)
            match expression:
                case Items(items=items):
                    if id(expression) not in self._lists:
                        self._lists[id(expression)] = self._item_values(items, module)
                    return self._lists[id(expression)]
                case Members(entries=entries):
                    return self._member_values(entries, module)
                case Computed(problem=problem) if problem:
                    raise NotLiteral(problem, _origin(target))
                case Constant():
                    raise NotLiteral("it is a single value, not a list", _origin(target))
                case _:
                    wanted, fix = self._languages[module.path.suffix].lists
                    raise NotLiteral(f"it is not {wanted}", _origin(target), fix)

    def _item_values(self, items: Iterable[Expression], module: Module) -> list[_Found]:
        found: list[_Found] = []
        for number, item in enumerate(items, start=1):
            if isinstance(item, Spread):
                found += (one._replace(member="") for one in self._values(_Target(item.of, module)))
            else:
                value, at = self._constant(item, module, f"element {number}")
                found.append(_Found(value, "", at))
            if len(found) > _MOST_VALUES:
                raise NotLiteral(f"it has more than {_MOST_VALUES:,} values", _at(module, item.at))
        return found

    def _member_values(self, entries: Iterable[tuple[str, Expression]], module: Module) -> list[_Found]:
        """Return the values of a class; a second member with the same value is an alias and is skipped."""
        found: dict[str | int, _Found] = {}
        for member, item in entries:
            if isinstance(item, Spread):
                found |= {one.value: one for one in self._values(_Target(item.of, module))}
            else:
                value, at = self._constant(item, module, f"member `{shown(member)}`")
                found.setdefault(value, _Found(value, member, at))
        return list(found.values())

    def _constant(self, item: Expression, module: Module, label: str) -> tuple[str | int, Origin]:
        """Return a single value, and the place where it is used."""
        if isinstance(item, Constant):
            return item.value, _at(module, item.at)
        target = self._followed(_Target(item, module))
        if isinstance(target.expression, Constant):
            return target.expression.value, _at(module, item.at)
        wanted, fix = self._languages[module.path.suffix].values
        problem = getattr(target.expression, "problem", "") or f"{label} is not {wanted}"
        raise NotLiteral(problem, _at(module, item.at), fix)

    @contextmanager
    def _deeper(self, target: _Target) -> Iterator[None]:
        if self._depth > _LONGEST_CHAIN:
            raise NotLiteral("it refers to itself", _origin(target))
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _followed(self, target: _Target) -> _Target:
        """Follow references until the target is not a reference."""
        if not isinstance(target.expression, Name | Import):
            return target
        with self._deeper(target):
            return self._followed(self._referred(target.expression, target.module))

    def _referred(self, expression: Name | Import, module: Module) -> _Target:
        if isinstance(expression, Import):
            found = self._imported_module(expression, module)
            target = self._lookup(found, expression.name) if expression.name else _Target(None, found)
            if target is None:
                what = f"`{expression.name}` is not in {found.file}"
                raise NotLiteral(what, _at(module, expression.at), "Correct the name.")
            return target
        target = self._lookup(module, expression.parts[0])
        for part in expression.parts[1:]:
            target = self._part(target, part)
        if target is None:
            what = f"`{'.'.join(expression.parts)}` is unknown"
            raise NotLiteral(what, _at(module, expression.at), "Define it, or write its value.")
        return target

    def _part(self, target: _Target | None, part: str) -> _Target | None:
        """Return the member ``part`` of a class, an object or a module."""
        if target is None:
            return None
        target = self._followed(target)
        match target.expression:
            case None:
                return self._lookup(target.module, part)
            case Members(entries=entries):
                found = dict(entries).get(part)
                return None if found is None else _Target(found, target.module)
            case Constant() if part == "value":  # `State.OPEN.value` of a Python enum
                return target
            case _:
                return None

    def _lookup(self, module: Module, name: str) -> _Target | None:
        """Return the target of ``name`` in ``module``, or in a module that it re-exports as a whole."""
        parts = [module] if name in module.names else self._parts(module, {})
        found = {id(one.names[name]): _Target(one.names[name], one) for one in parts if name in one.names}
        if len(found) > 1:
            files = " and ".join(one.module.file for one in found.values())
            raise NotLiteral(f"`{name}` is in {files}", Origin(file=module.file), "Rename one of them.")
        if not found and module.syntax_error is not None:
            raise NotLiteral("the file has a syntax error here", _at(module, module.syntax_error), "Correct it.")
        return next(iter(found.values()), None)

    def _imported_module(self, wanted: Import, module: Module) -> Module:
        path = self._languages[module.path.suffix].locate(wanted.module, module.path, self._root)
        if path is None or path.suffix not in self._languages:
            what = f"it comes from `{wanted.module}`, which is not a file of the project"
            raise NotLiteral(what, _at(module, wanted.at), "Only relative imports are followed. Write its values here.")
        try:
            return self.module(path)
        except SchemaFileError as error:
            raise NotLiteral(f"{path.name} can't be read: {error.problems[0]}", _at(module, wanted.at)) from None


def _at(module: Module, at: Position) -> Origin:
    return Origin(file=module.file, line=at[0], column=at[1])


def _origin(target: _Target) -> Origin:
    expression, module = target
    return Origin(file=module.file) if expression is None else _at(module, expression.at)


def _shape(target: _Target) -> Shape:
    shapes: dict[type, Shape] = {Members: "class", Items: "list"}
    return shapes.get(type(target.expression), "other")
