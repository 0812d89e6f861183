"""Find the values of enums: follow references, spreads, imports and re-exports until everything is a literal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.enum_sources import expressions as e
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition, Shape, value_list_problem
from waiaas_migrate.files.problem_report import Origin, shown
from waiaas_migrate.files.text_file import display_name, read_text

#: The most references to follow from name to name. A longer chain must be a cycle.
_LONGEST_CHAIN = 100
#: The most values of an enum. There is a limit because nested spreads can double a list again and again.
_MOST_VALUES = 100_000
_SHAPES: dict[type, Shape] = {e.Members: "class", e.Items: "list"}


class Language(NamedTuple):
    """The functions that read files of a language, and words for messages.

    Args:
        parse: returns the names in a file, given its text, its path, and its name in messages.
        locate: returns the file of an imported module, given the module's name, the file that imports it, and the
            project's folder; None if the module is not in the project.
        lists: the words for expressions that an enum can be, and the fix if it is something else.
        values: the words for expressions that a value can be, and the fix if it is something else.
    """

    parse: Callable[[str, Path, str], e.Module]
    locate: Callable[[str, Path, Path], Path | None]
    lists: tuple[str, str]
    values: tuple[str, str]


class NotLiteral(Exception):
    """An enum whose values are not all literals, or whose definition can't be found."""

    def __init__(self, problem: str, at: Origin, fix: str = "") -> None:
        super().__init__(problem)
        self.problem, self.at, self.fix = problem, at, fix


class _Value(NamedTuple):
    """A value of an enum, the name of its member, and its place."""

    value: str | int
    member: str
    at: Origin


class _Target(NamedTuple):
    """The target of a reference: an expression in a module, or the whole module if the expression is None."""

    expression: e.Expression | None
    module: e.Module


class Evaluator:
    """Finds the enums in the files of one project; each file is read once."""

    def __init__(self, languages: Mapping[str, Language], root: Path) -> None:
        self._languages, self._root = languages, root
        self._modules: dict[Path, e.Module] = {}
        #: The values of each list, by the id() of its expression. The expressions live as long as ``_modules``.
        self._lists: dict[int, list[_Value]] = {}
        self._depth = 0

    def module(self, path: Path) -> e.Module:
        """Return the names in a file.

        Raises:
            SchemaFileError: the file can't be read.
        """
        if path not in self._modules:
            file = display_name(path, self._root)
            text = read_text(path, file, missing="")
            if isinstance(text, Problem):
                raise SchemaFileError([text])
            self._modules[path] = self._languages[path.suffix].parse(text, path, file)
        return self._modules[path]

    def names(self, module: e.Module) -> Iterator[str]:
        """Yield the names that ``module`` exports, including names that it re-exports from other modules."""
        for part in self._with_reexported(module, set()):
            for name, expression in part.names.items():
                is_module = isinstance(expression, e.Import) and not expression.name
                if (part.exported is None or name in part.exported) and not is_module and not name.startswith("__"):
                    yield name

    def _with_reexported(self, module: e.Module, seen: set[Path]) -> Iterator[e.Module]:
        """Yield ``module`` and all modules that it re-exports as a whole; skip modules that can't be read."""
        if module.path in seen:
            return
        seen.add(module.path)
        yield module
        for star in module.stars:
            with suppress(NotLiteral):
                yield from self._with_reexported(self._imported_module(star, module), seen)

    def definition(self, module: e.Module, name: str, source: str) -> EnumDefinition | None:
        """Return the definition of ``name`` in ``module``, which may have a problem; None if it is missing."""
        definition = EnumDefinition(name=name, source=source, at=Origin(file=module.file), shape="other")
        try:
            target = self._lookup(module, name)
            if target is None:
                return None
            definition = replace(definition, at=_origin(target))
            is_type = self._is_type(target, name)
            target = self._resolved(target)
            shape = "type" if is_type else _SHAPES.get(type(target.expression), "other")
            definition = replace(definition, shape=shape, at=_origin(target))
            values = self._values(target)
            members = tuple(one.member for one in values) if shape == "class" else ()
            definition = replace(definition, members=members, problem=value_list_problem([one.value for one in values]))
        except NotLiteral as error:
            return replace(definition, problem=error.problem, at=error.at, fix=error.fix)
        if definition.problem:
            return definition
        return replace(definition, values=tuple(one.value for one in values), places=tuple(one.at for one in values))

    def _is_type(self, target: _Target, name: str) -> bool:
        """Return whether ``name`` is declared as a type, in this file or in the file that it is imported from."""
        with self._one_step(target):
            if isinstance(target.expression, e.Import) and (original := target.expression.name):
                return self._is_type(self._referent(target.expression, target.module), original)
            return name in target.module.types

    def _values(self, target: _Target) -> list[_Value]:
        """Return the values of a list, a class or an object; refuse anything else, and values that aren't literals."""
        with self._one_step(target):
            expression, module = target = self._resolved(target)
            match expression:
                case e.Items(items=items):
                    if id(expression) not in self._lists:
                        self._lists[id(expression)] = self._item_values(items, module)
                    return self._lists[id(expression)]
                case e.Members(entries=entries):
                    return self._member_values(entries, module)
                case e.Computed(problem=problem) if problem:
                    raise NotLiteral(problem, _origin(target))
                case e.Constant():
                    raise NotLiteral("it is a single value, not a list", _origin(target))
                case _:
                    wanted, fix = self._languages[module.path.suffix].lists
                    raise NotLiteral(f"it is not {wanted}", _origin(target), fix)

    def _item_values(self, items: Iterable[e.Expression], module: e.Module) -> list[_Value]:
        values: list[_Value] = []
        for number, item in enumerate(items, start=1):
            if isinstance(item, e.Spread):
                values += (one._replace(member="") for one in self._values(_Target(item.of, module)))
            else:
                value, at = self._constant(item, module, f"element {number}")
                values.append(_Value(value, "", at))
            if len(values) > _MOST_VALUES:
                raise NotLiteral(f"it has more than {_MOST_VALUES:,} values", _at(module, item.at))
        return values

    def _member_values(self, entries: Iterable[tuple[str, e.Expression]], module: e.Module) -> list[_Value]:
        """Return the values of a class or an object; skip aliases, which are later members with the same value."""
        values: dict[str | int, _Value] = {}
        for member, item in entries:
            if isinstance(item, e.Spread):
                values |= {one.value: one for one in self._values(_Target(item.of, module))}
            else:
                value, at = self._constant(item, module, f"member `{shown(member)}`")
                values.setdefault(value, _Value(value, member, at))
        return list(values.values())

    def _constant(self, item: e.Expression, module: e.Module, label: str) -> tuple[str | int, Origin]:
        """Return the value of ``item``, and its place. Errors call the item ``label``."""
        target = self._resolved(_Target(item, module))
        if isinstance(target.expression, e.Constant):
            return target.expression.value, _at(module, item.at)
        wanted, fix = self._languages[module.path.suffix].values
        problem = getattr(target.expression, "problem", "") or f"{label} is not {wanted}"
        raise NotLiteral(problem, _at(module, item.at), fix)

    @contextmanager
    def _one_step(self, target: _Target) -> Iterator[None]:
        """Count the steps from reference to reference, and refuse too many, which must be a cycle."""
        if self._depth > _LONGEST_CHAIN:
            raise NotLiteral("it refers to itself", _origin(target))
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _resolved(self, target: _Target) -> _Target:
        """Follow references until the target is not a reference."""
        if not isinstance(target.expression, e.Name | e.Import):
            return target
        with self._one_step(target):
            return self._resolved(self._referent(target.expression, target.module))

    def _referent(self, expression: e.Name | e.Import, module: e.Module) -> _Target:
        """Return the target of one reference, which may be another reference."""
        if isinstance(expression, e.Import):
            imported = self._imported_module(expression, module)
            target = self._lookup(imported, expression.name) if expression.name else _Target(None, imported)
            if target is None:
                what = f"`{expression.name}` is not in {imported.file}"
                raise NotLiteral(what, _at(module, expression.at), "Correct the name.")
            return target
        target = self._lookup(module, expression.parts[0])
        for part in expression.parts[1:]:
            target = self._member(target, part)
        if target is None:
            what = f"`{'.'.join(expression.parts)}` is unknown"
            raise NotLiteral(what, _at(module, expression.at), "Define it, or write its value.")
        return target

    def _member(self, target: _Target | None, name: str) -> _Target | None:
        """Return the member ``name`` of a class, an object or a module; None if it is missing."""
        if target is None:
            return None
        target = self._resolved(target)
        match target.expression:
            case None:
                return self._lookup(target.module, name)
            case e.Members(entries=entries):
                member = dict(entries).get(name)
                return None if member is None else _Target(member, target.module)
            case e.Constant() if name == "value":  # `State.OPEN.value` of a Python enum
                return target
            case _:
                return None

    def _lookup(self, module: e.Module, name: str) -> _Target | None:
        """Return the target of ``name`` in ``module`` or in a module that it re-exports as a whole; None if missing."""
        parts = [module] if name in module.names else self._with_reexported(module, set())
        found = {id(part.names[name]): _Target(part.names[name], part) for part in parts if name in part.names}
        if len(found) > 1:
            files = " and ".join(target.module.file for target in found.values())
            raise NotLiteral(f"`{name}` is in {files}", Origin(file=module.file), "Rename one of them.")
        if not found and module.syntax_error is not None:
            raise NotLiteral("the file has a syntax error here", _at(module, module.syntax_error), "Correct it.")
        return next(iter(found.values()), None)

    def _imported_module(self, wanted: e.Import, module: e.Module) -> e.Module:
        path = self._languages[module.path.suffix].locate(wanted.module, module.path, self._root)
        if path is None or path.suffix not in self._languages:
            what = f"it comes from `{wanted.module}`, which is not a file of the project"
            raise NotLiteral(what, _at(module, wanted.at), "Only relative imports are followed. Write its values here.")
        try:
            return self.module(path)
        except SchemaFileError as error:
            raise NotLiteral(f"{path.name} can't be read: {error.problems[0]}", _at(module, wanted.at)) from None


def _at(module: e.Module, at: e.Position) -> Origin:
    return Origin(file=module.file, line=at[0], column=at[1])


def _origin(target: _Target) -> Origin:
    expression, module = target
    return Origin(file=module.file) if expression is None else _at(module, expression.at)
