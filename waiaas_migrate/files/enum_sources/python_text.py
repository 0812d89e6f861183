"""Read enums from Python without importing it.

Read only names whose values are certain: those that the top level of the module binds once, to literals. Any other
value is :class:`Computed`; to learn it, import the module.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

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

#: Modules that define no enum themselves.
_HARMLESS = frozenset({"__future__", "enum", "typing", "typing_extensions"})
#: The types that the values of an enum class can have, by its bases.
_BASES: dict[tuple[str, ...], tuple[type, ...]] = {
    ("enum.StrEnum",): (str,),
    ("str", "enum.Enum"): (str,),
    ("enum.IntEnum",): (int,),
    ("int", "enum.Enum"): (int,),
    ("enum.Enum",): (str, int),
}
#: Decorators that change no value.
_DECORATORS = frozenset({"enum.unique", "typing.final", "typing_extensions.final"})
#: Methods that can change the values of an enum class.
_HOOKS = frozenset({"__new__", "__init_subclass__", "_generate_next_value_"})
_LITERALS = frozenset({"typing.Literal", "typing_extensions.Literal"})
#: Methods that change a list.
_CHANGES = frozenset({"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"})


def parse_python(text: str, path: Path, file: str) -> Module:
    """Return the names in a Python file; none if it can't be parsed, since importing it will report why."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings
            tree = ast.parse(text)
        return _File(tree).module(path, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Module(path=path, file=file, is_complete=False)


def locate_python(module: str, importer: Path, root: Path) -> Path | None:
    """Return the file of a module in the project or its ``src`` folder; None if it isn't there."""
    name = module.lstrip(".")
    level = len(module) - len(name)
    bases = [importer.parents[level - 1]] if 0 < level <= len(importer.parents) else [root, root / "src"]
    parts = name.split(".") if name else []
    for base in bases:
        path = base.joinpath(*parts)
        found = [path / "__init__.py", *([path.with_name(f"{path.name}.py")] if parts else [])]
        if (file := next((one for one in found if one.is_file()), None)) is not None:
            return file
    return None


class _File:
    """The top level of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._names: dict[str, Expression] = {}
        self._types: set[str] = set()
        #: What other names stand for, such as ``enum.StrEnum``.
        self._known = {name: name for name in ("str", "int", "tuple", "list")}
        self._stars: list[Import] = []
        self._is_complete = True

    def module(self, path: Path, file: str) -> Module:
        """Return the names that it defines."""
        for statement in self._tree.body:
            self._read(statement)
        for name in _changed(self._tree):
            if name in self._names:
                self._names[name] = Computed(self._names[name].at)
        return Module(
            path=path,
            file=file,
            names=self._names,
            types=frozenset(self._types),
            stars=tuple(self._stars),
            is_complete=self._is_complete and not self._stars,
        )

    def _read(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Import() | ast.ImportFrom():
                self._import(statement)
            case ast.ClassDef(name=name):
                self._bind(name, self._class(statement))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._forget(name, statement)
                self._is_complete &= name != "__getattr__"
            case _ if (bound := _assigned(statement)) is not None:
                name, value = bound
                self._bind(name, self._expression(value))
                if self._is_type(statement, value):
                    self._types.add(name)
            case _ if not self._is_inert(statement):
                self._is_complete = False
                for name in _bound(statement):
                    self._forget(name, statement)
                    self._names[name] = Computed(_position(statement))
            case _:
                return

    def _is_inert(self, statement: ast.stmt) -> bool:
        """Return whether a statement binds no name when the module runs."""
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.AnnAssign(target=ast.Name(), value=None):
                return True
            case ast.If(test=test, orelse=[]):
                return self._qualified(test) == "typing.TYPE_CHECKING"
            case _:
                return False

    def _is_type(self, statement: ast.stmt, value: ast.expr) -> bool:
        """Return whether an assignment names a type."""
        is_literal = isinstance(value, ast.Subscript) and self._qualified(value.value) in _LITERALS
        return is_literal or type(statement).__name__ == "TypeAlias"

    def _bind(self, name: str, found: Expression) -> None:
        self._known.pop(name, None)
        self._names[name] = found if name not in self._names else Computed(found.at)

    def _forget(self, name: str, statement: ast.stmt) -> None:
        """Note that ``name`` is no longer what it was."""
        self._known.pop(name, None)
        if name in self._names:
            self._names[name] = Computed(_position(statement))

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        module = "." * statement.level + (statement.module or "") if isinstance(statement, ast.ImportFrom) else ""
        for alias in statement.names:
            name, at = alias.asname or alias.name.partition(".")[0], _position(alias)
            if alias.name == "*":
                self._stars.append(Import(module, "", at))
                # It may bind them again.
                self._names |= {earlier: Computed(at) for earlier in self._names}
            elif (module or alias.name) in _HARMLESS:
                self._known[name] = f"{module}.{alias.name}".lstrip(".")
            elif module:
                self._bind(name, Import(module, alias.name, at))
            elif alias.asname or "." not in alias.name:
                self._bind(name, Import(alias.name, "", at))

    def _qualified(self, node: ast.expr) -> str:
        """Return the full name of what ``node`` stands for, such as ``enum.StrEnum``; an empty string if unknown."""
        match node:
            case ast.Name(id=name):
                return self._known.get(name, "")
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in self._known:
                return f"{self._known[module]}.{name}"
            case _:
                return ""

    def _expression(self, node: ast.expr) -> Expression:
        at = _position(node)
        match node:
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return Items(tuple(map(self._element, items)), at)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return Items(tuple(Spread(self._expression(side), at) for side in (left, right)), at)
            case ast.ListComp(elt=value, generators=generators):
                return self._comprehension(value, generators, at)
            case ast.Call(func=function, args=[argument], keywords=[]):
                return self._call(self._qualified(function), argument, at)
            case ast.Subscript(value=kind, slice=inner) if self._qualified(kind) in _LITERALS:
                found = tuple(map(self._element, inner.elts if isinstance(inner, ast.Tuple) else [inner]))
                # typing leaves out duplicates.
                return Items(found, at) if len({one[:-1] for one in found}) == len(found) else Computed(at)
            case _:
                return _single(node)

    def _element(self, node: ast.expr) -> Expression:
        if isinstance(node, ast.Starred):
            return Spread(self._expression(node.value), _position(node))
        return self._expression(node)

    def _call(self, function: str, argument: ast.expr, at: Position) -> Expression:
        """Read ``tuple(State)``, ``list(member.value for member in State)`` and ``get_args(Word)``."""
        if function in ("tuple", "list") and isinstance(argument, ast.GeneratorExp):
            return self._comprehension(argument.elt, argument.generators, at)
        if function in ("tuple", "list", "typing.get_args"):
            return Items((Spread(self._expression(argument), at),), at)
        return Computed(at)

    def _comprehension(self, value: ast.expr, generators: Sequence[ast.comprehension], at: Position) -> Expression:
        match value, generators:
            case (
                ast.Name(id=member) | ast.Attribute(value=ast.Name(id=member), attr="value"),
                [ast.comprehension(target=ast.Name(id=each), iter=of, ifs=[], is_async=0)],
            ) if member == each:
                return Items((Spread(self._expression(of), at),), at)
            case _:
                return Computed(at)

    def _class(self, node: ast.ClassDef) -> Expression:
        """Return the members of an enum class whose values are literals of the right type."""
        at, bases = _position(node), tuple(map(self._qualified, node.bases))
        decorators = set(map(self._qualified, node.decorator_list))
        if bases not in _BASES or node.keywords or not decorators <= _DECORATORS:
            return Computed(at)
        entries: dict[str, Constant] = {}
        automatic = 0
        for statement in node.body:
            if self._is_inert(statement) or (isinstance(statement, ast.FunctionDef) and statement.name not in _HOOKS):
                continue
            name, value = _assigned(statement) or ("_", node)
            if name in entries or name.startswith("_"):
                return Computed(at)
            found = self._expression(value) if isinstance(value, ast.expr) else Computed(at)
            if isinstance(value, ast.Call) and self._qualified(value.func) == "enum.auto" and not value.args:
                found = _automatic(name, bases, len(entries), automatic, _position(value))
                automatic += 1
            if not isinstance(found, Constant) or not isinstance(found.value, _BASES[bases]):
                return Computed(at)
            entries[name] = found
        return Members(tuple(entries.items()), at)


def _automatic(name: str, bases: tuple[str, ...], before: int, automatic: int, at: Position) -> Expression:
    """Return the value of ``auto()`` after ``before`` members; ``automatic`` of them use ``auto()`` too."""
    if bases == ("enum.StrEnum",):
        return Constant(name.lower(), at)
    # After a member with an explicit value, the result depends on the Python version.
    return Constant(before + 1, at) if before == automatic and "str" not in bases else Computed(at)


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """Return the name that a statement assigns a value to, and the value; None if it does anything else."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
        case _ if type(statement).__name__ == "TypeAlias":  # Python 3.12
            return statement.name.id, statement.value  # type: ignore[attr-defined]
        case _:
            return None


def _single(node: ast.expr) -> Expression:
    """Return a constant or a reference."""
    at = _position(node)
    match node:
        case ast.Constant(value=value) if isinstance(value, str | int) and not isinstance(value, bool):
            return Constant(value, at)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))) if not isinstance(value, bool):
            return Constant(-value, at)
        case _:
            return _reference(node)


def _reference(node: ast.expr) -> Expression:
    at, parts = _position(node), list[str]()
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return Name((node.id, *parts), at) if isinstance(node, ast.Name) else Computed(at)


def _bound(statement: ast.AST) -> Iterator[str]:
    """Yield every name that a statement may bind or delete."""
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case _:
                continue


def _changed(tree: ast.Module) -> Iterator[str]:
    """Yield every name whose list may change after it was bound, or that a function may bind again."""
    for node in ast.walk(tree):
        match node:
            case ast.Global(names=names):
                yield from names
            case ast.Attribute(value=ast.Name(id=name), attr=method) if method in _CHANGES:
                yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.NamedExpr(target=ast.Name(id=name)):
                yield name
            case _:
                continue


def _position(node: ast.expr | ast.stmt | ast.alias) -> Position:
    return node.lineno, node.col_offset + 1
