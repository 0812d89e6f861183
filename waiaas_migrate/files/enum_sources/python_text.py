"""Read enums from the source of a Python module without importing it.

Only names that the top level of the module binds once, to literals, have certain values. Any other value is
:class:`Computed`: only an import can find it.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from waiaas_migrate.files.enum_sources import expressions as e

#: Modules that only help to write enums; the application defines none in them.
_HARMLESS = frozenset({"__future__", "enum", "typing", "typing_extensions"})
#: The types that the values of an enum class can have, by its base classes.
_BASES: dict[tuple[str, ...], tuple[type, ...]] = {
    ("enum.StrEnum",): (str,),
    ("str", "enum.Enum"): (str,),
    ("enum.IntEnum",): (int,),
    ("int", "enum.Enum"): (int,),
    ("enum.Enum",): (str, int),
}
#: Decorators of an enum class that don't change its values.
_DECORATORS = frozenset({"enum.unique", "typing.final", "typing_extensions.final"})
#: Methods that can change the values of an enum class.
_HOOKS = frozenset({"__new__", "__init_subclass__", "_generate_next_value_"})
_LITERALS = frozenset({"typing.Literal", "typing_extensions.Literal"})
#: Methods that change a list.
_LIST_CHANGES = frozenset({"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"})


def parse_python(text: str, path: Path, file: str) -> e.Module:
    """Return the names in a Python file; none if it can't be parsed, because the import will report the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in strings
            tree = ast.parse(text)
        return _ModuleReader(tree).module(path, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return e.Module(path=path, file=file, is_complete=False)


def locate_python(module: str, importer: Path, root: Path) -> Path | None:
    """Return the file of a module in the project or its ``src`` folder; None if the project has no such module."""
    name = module.lstrip(".")
    level = len(module) - len(name)
    bases = [importer.parents[level - 1]] if 0 < level <= len(importer.parents) else [root, root / "src"]
    parts = name.split(".") if name else []
    for path in (base.joinpath(*parts) for base in bases):
        candidates = [path / "__init__.py", *([path.with_name(f"{path.name}.py")] if parts else [])]
        if (file := next((candidate for candidate in candidates if candidate.is_file()), None)) is not None:
            return file
    return None


class _ModuleReader:
    """Reads the statements at the top level of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._names: dict[str, e.Expression] = {}
        self._types: set[str] = set()
        #: The full names of builtins and of imported helpers, such as ``enum.StrEnum``, by their names in the module.
        self._full_names = {name: name for name in ("str", "int", "tuple", "list")}
        self._stars: list[e.Import] = []
        self._is_complete = True

    def module(self, path: Path, file: str) -> e.Module:
        """Return the names that the module defines."""
        for statement in self._tree.body:
            self._read(statement)
        for name in _names_changed_later(self._tree):
            if name in self._names:
                self._names[name] = e.Computed(self._names[name].at)
        return e.Module(
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
            case _ if (assignment := _assignment(statement)) is not None:
                name, value = assignment
                self._bind(name, self._expression(value))
                if self._is_type(statement, value):
                    self._types.add(name)
            case _ if not self._is_inert(statement):
                self._is_complete = False
                for name in _bound_names(statement):
                    self._forget(name, statement)
                    self._names[name] = e.Computed(_position(statement))
            case _:
                return

    def _is_inert(self, statement: ast.stmt) -> bool:
        """Return whether a statement certainly binds no name when Python runs it."""
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.AnnAssign(target=ast.Name(), value=None):
                return True
            case ast.If(test=test, orelse=[]):
                return self._qualified(test) == "typing.TYPE_CHECKING"
            case _:
                return False

    def _is_type(self, statement: ast.stmt, value: ast.expr) -> bool:
        is_literal = isinstance(value, ast.Subscript) and self._qualified(value.value) in _LITERALS
        return is_literal or type(statement).__name__ == "TypeAlias"

    def _bind(self, name: str, value: e.Expression) -> None:
        """Record the value of ``name``; a name that is bound twice is computed."""
        self._full_names.pop(name, None)
        self._names[name] = value if name not in self._names else e.Computed(value.at)

    def _forget(self, name: str, statement: ast.stmt) -> None:
        """Record that ``statement`` gives ``name`` another value."""
        self._full_names.pop(name, None)
        if name in self._names:
            self._names[name] = e.Computed(_position(statement))

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        module = "." * statement.level + (statement.module or "") if isinstance(statement, ast.ImportFrom) else ""
        for alias in statement.names:
            name, at = alias.asname or alias.name.partition(".")[0], _position(alias)
            if alias.name == "*":
                self._stars.append(e.Import(module, "", at))
                # The import may bind earlier names again.
                self._names |= {earlier: e.Computed(at) for earlier in self._names}
            elif (module or alias.name) in _HARMLESS:
                self._full_names[name] = f"{module}.{alias.name}".lstrip(".")
            elif module:
                self._bind(name, e.Import(module, alias.name, at))
            elif alias.asname or "." not in alias.name:
                self._bind(name, e.Import(alias.name, "", at))

    def _qualified(self, node: ast.expr) -> str:
        """Return the full name of the helper that ``node`` names, such as ``enum.StrEnum``; empty for other names."""
        match node:
            case ast.Name(id=name):
                return self._full_names.get(name, "")
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in self._full_names:
                return f"{self._full_names[module]}.{name}"
            case _:
                return ""

    def _expression(self, node: ast.expr) -> e.Expression:
        at = _position(node)
        match node:
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return e.Items(tuple(map(self._element, items)), at)
            case ast.BinOp(op=ast.Add(), left=left, right=right):
                return e.Items(tuple(e.Spread(self._expression(side), at) for side in (left, right)), at)
            case ast.ListComp(elt=value, generators=generators):
                return self._comprehension(value, generators, at)
            case ast.Call(func=function, args=[argument], keywords=[]):
                return self._call(self._qualified(function), argument, at)
            case ast.Subscript(value=kind, slice=inner) if self._qualified(kind) in _LITERALS:
                values = tuple(map(self._element, inner.elts if isinstance(inner, ast.Tuple) else [inner]))
                # typing removes duplicates, which are expressions that differ only in their place.
                return e.Items(values, at) if len({one[:-1] for one in values}) == len(values) else e.Computed(at)
            case _:
                return _constant(node)

    def _element(self, node: ast.expr) -> e.Expression:
        if isinstance(node, ast.Starred):
            return e.Spread(self._expression(node.value), _position(node))
        return self._expression(node)

    def _call(self, function: str, argument: ast.expr, at: e.Position) -> e.Expression:
        """Return the values of ``tuple(State)``, ``list(member.value for member in State)`` or ``get_args(Word)``."""
        if function in ("tuple", "list") and isinstance(argument, ast.GeneratorExp):
            return self._comprehension(argument.elt, argument.generators, at)
        if function in ("tuple", "list", "typing.get_args"):
            return e.Items((e.Spread(self._expression(argument), at),), at)
        return e.Computed(at)

    def _comprehension(self, value: ast.expr, generators: Sequence[ast.comprehension], at: e.Position) -> e.Expression:
        """Return the values of ``member for member in State`` or ``member.value for member in State``."""
        match value, generators:
            case (
                ast.Name(id=member) | ast.Attribute(value=ast.Name(id=member), attr="value"),
                [ast.comprehension(target=ast.Name(id=each), iter=of, ifs=[], is_async=0)],
            ) if member == each:
                return e.Items((e.Spread(self._expression(of), at),), at)
            case _:
                return e.Computed(at)

    def _class(self, node: ast.ClassDef) -> e.Expression:
        """Return the members of an enum class; a class with other values than literals is computed."""
        at, bases = _position(node), tuple(map(self._qualified, node.bases))
        decorators = set(map(self._qualified, node.decorator_list))
        if bases not in _BASES or node.keywords or not decorators <= _DECORATORS:
            return e.Computed(at)
        entries: dict[str, e.Constant] = {}
        automatic = 0
        for statement in node.body:
            if self._is_inert(statement) or (isinstance(statement, ast.FunctionDef) and statement.name not in _HOOKS):
                continue
            assignment = _assignment(statement)
            if assignment is None or assignment[0] in entries or assignment[0].startswith("_"):
                return e.Computed(at)
            name, value = assignment
            member = self._expression(value)
            if isinstance(value, ast.Call) and self._qualified(value.func) == "enum.auto" and not value.args:
                member = _auto_value(name, bases, len(entries), automatic, _position(value))
                automatic += 1
            if not isinstance(member, e.Constant) or not isinstance(member.value, _BASES[bases]):
                return e.Computed(at)
            entries[name] = member
        return e.Members(tuple(entries.items()), at)


def _auto_value(name: str, bases: tuple[str, ...], before: int, automatic: int, at: e.Position) -> e.Expression:
    """Return the value of ``auto()`` after ``before`` members, of which ``automatic`` use ``auto()``, too."""
    if bases == ("enum.StrEnum",):
        return e.Constant(name.lower(), at)
    # After a member with an explicit value, the result depends on the Python version.
    return e.Constant(before + 1, at) if before == automatic and "str" not in bases else e.Computed(at)


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """Return the name and the value of an assignment to one name; None for any other statement."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
        case _ if type(statement).__name__ == "TypeAlias":  # Python 3.12
            return statement.name.id, statement.value  # type: ignore[attr-defined]
        case _:
            return None


def _constant(node: ast.expr) -> e.Expression:
    """Return a constant or a reference; any other expression is computed."""
    at = _position(node)
    match node:
        case ast.Constant(value=value) if isinstance(value, str | int) and not isinstance(value, bool):
            return e.Constant(value, at)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))) if not isinstance(value, bool):
            return e.Constant(-value, at)
        case _:
            return _reference(node)


def _reference(node: ast.expr) -> e.Expression:
    at, parts = _position(node), list[str]()
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return e.Name((node.id, *parts), at) if isinstance(node, ast.Name) else e.Computed(at)


def _bound_names(statement: ast.AST) -> Iterator[str]:
    """Yield every name that a statement can bind or delete."""
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


def _names_changed_later(tree: ast.Module) -> Iterator[str]:
    """Yield every name whose list can change after the name is bound, or that a function can bind again."""
    for node in ast.walk(tree):
        match node:
            case ast.Global(names=names):
                yield from names
            case ast.Attribute(value=ast.Name(id=name), attr=method) if method in _LIST_CHANGES:
                yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name
            case ast.NamedExpr(target=ast.Name(id=name)):
                yield name
            case _:
                continue


def _position(node: ast.expr | ast.stmt | ast.alias) -> e.Position:
    return node.lineno, node.col_offset + 1
