"""Find the literals in an expression or a statement, and the columns that each is compared with or written to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.schema.model import Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.allowed_values import Tree, literal_value

_COMPARISONS = frozenset({"EQ", "EQ_DOUBLE", "NE", "NE_ANGLE", "LT", "LE", "GT", "GE"})
#: Functions that return one of their arguments.
_CHOOSING = frozenset({"coalesce", "ifnull", "nullif", "iif", "min", "max"})

#: The sources of a FROM clause by folded alias: a table's folded name; None for a view or a subquery.
Scope = Mapping[str, str | None]


class Counterpart(NamedTuple):
    """A column that a literal is compared with, or written to.

    ``table`` is folded; None if the column belongs to a view or a subquery. ``is_direct``: the literal meets the
    column's own value, not a value computed from it.
    """

    table: str | None
    column: str
    is_direct: bool


class LiteralUse(NamedTuple):
    """A string or whole number, and the columns that it is compared with, or written to."""

    value: str | int
    columns: tuple[Counterpart, ...]
    is_written: bool = False


class _Leaf(NamedTuple):
    """A literal or a column whose value an expression may have; its name is looked up in ``scopes``."""

    tree: Tree
    scopes: tuple[Scope, ...]
    is_direct: bool


def literal_uses(tree: Tree, tables: Mapping[str, Table], own: str) -> Iterator[LiteralUse]:
    """Yield each use of a literal in ``tree``.

    Args:
        tree: the tree of an expression or a statement.
        tables: the tables by folded name.
        own: the table that an expression belongs to, or that a trigger is on; empty for a view.
    """
    yield from _Uses(tables, own, _cte_names(tree)).below(tree)


@dataclass(frozen=True, slots=True)
class _Uses:
    tables: Mapping[str, Table]
    own: str
    ctes: Collection[str]

    def below(self, tree: Tree) -> Iterator[LiteralUse]:
        is_statement = isinstance(tree, dict) and str(tree.get("type")).startswith("Create")
        scopes: tuple[Scope, ...] = () if is_statement else ({fold(self.own): fold(self.own)},)
        waiting: list[tuple[Tree, tuple[Scope, ...]]] = [(tree, scopes)]
        while waiting:
            node, scopes = waiting.pop()
            if isinstance(node, list):
                waiting += [(item, scopes) for item in reversed(node)]
            if not isinstance(node, dict):
                continue
            if node.get("type") in ("SelectStmt", "UpdateStmt", "DeleteStmt", "InsertStmt"):
                scopes = (self._scope(node), *scopes)
            for operands in _operands(node):
                yield from self._uses(operands, scopes, is_direct=_keeps_values(node))
            for column, value in self._written(node):
                table = _alias(node["table"]["alias"]) or node["table"]["table_name"]
                target = {"type": "ColumnRef", "column": column, "table": table}
                yield from self._uses((target, value), scopes, is_written=True)
            waiting += [(child, scopes) for child in reversed(node.values())]

    def _uses(
        self, operands: Sequence[Tree], scopes: tuple[Scope, ...], *, is_direct: bool = True, is_written: bool = False
    ) -> Iterator[LiteralUse]:
        """Yield the literals among ``operands``, each with the columns among the others."""
        leaves = [tuple(self._leaves(operand, scopes)) for operand in operands]
        for at, own in enumerate(leaves):
            others = [leaf for place, found in enumerate(leaves) if place != at for leaf in found]
            columns = tuple(
                column for leaf in others if (column := self._column(leaf, is_direct=is_direct)) is not None
            )
            for leaf in own:
                value = literal_value(leaf.tree)
                if value is not None and leaf.is_direct and columns:
                    yield LiteralUse(value, columns, is_written)

    def _written(self, node: Tree) -> Iterator[tuple[str, Tree]]:
        """Yield the columns that an INSERT or UPDATE writes, each with a value."""
        match node:
            case {"type": "UpdateStmt", "setlist": setlist}:
                yield from _set_values(setlist)
            case {"type": "InsertStmt", "columns": columns, "source": source, "table": {"table_name": name}}:
                table = self.tables.get(fold(name))
                listed = [item["column"] for item in _children(columns)]
                if not listed and table is not None:
                    listed = [column.name for column in table.columns if column.generated is None]
                for row in _rows(source):
                    yield from zip(listed, row, strict=False)
                for clause in _children(node.get("upsert")):
                    yield from _set_values(clause.get("setlist"))
            case _:
                return

    def _leaves(self, tree: Tree, scopes: tuple[Scope, ...]) -> Iterator[_Leaf]:
        """Yield the literals and columns that ``tree`` may return, or may compute its value from."""
        waiting = [_Leaf(tree, scopes, is_direct=True)]
        while waiting:
            leaf = waiting.pop()
            match leaf.tree:
                case {"type": "ColumnRef" | "Literal"} | {"type": "UnaryExpr", "op": "MINUS"}:
                    yield leaf
                case {"type": "CollateExpr" | "CastExpr", "expr": expr} | {"type": "UnaryExpr", "operand": expr}:
                    waiting.append(leaf._replace(tree=expr))
                case {"type": "CaseExpr", "whens": whens, "else_expr": otherwise}:
                    results = [when["then_expr"] for when in _children(whens)]
                    waiting += [leaf._replace(tree=result) for result in (*results, otherwise)]
                case {"type": "FunctionCall", "func_name": name, "args": args}:
                    is_chosen = leaf.is_direct and name in _CHOOSING
                    waiting += [_Leaf(item, leaf.scopes, is_chosen) for item in _children(args)]
                case {"type": "SubqueryExpr", "select": select}:
                    waiting += self._results(leaf._replace(tree=select))
                case {"type": "BinaryExpr", "op": op, "left": left, "right": right} if (
                    op not in _COMPARISONS and op not in ("AND", "OR")
                ):
                    waiting += [_Leaf(side, leaf.scopes, is_direct=False) for side in (left, right)]
                case _:
                    continue

    def _results(self, query: _Leaf) -> Iterator[_Leaf]:
        """Yield the expressions that a query selects."""
        for part in _parts(query.tree):
            scopes = (self._scope(part), *query.scopes)
            yield from (_Leaf(item, scopes, query.is_direct) for row in _rows(part) for item in row)

    def _column(self, leaf: _Leaf, *, is_direct: bool) -> Counterpart | None:
        if leaf.tree["type"] != "ColumnRef":
            return None
        column = leaf.tree["column"]
        found = self._table_of(column, leaf.tree["table"], leaf.scopes)
        return None if found is None else Counterpart(found or None, fold(column), is_direct and leaf.is_direct)

    def _table_of(self, column: str, qualifier: str | None, scopes: Iterable[Scope]) -> str | None:
        """Return the table of a column; empty for a view or a subquery, None if no source has the column."""
        for scope in scopes:
            if qualifier is not None and fold(qualifier) in scope:
                return scope[fold(qualifier)] or ""
            if qualifier is None:
                owner = next((name for name in scope.values() if name and self._has(name, column)), None)
                if owner is not None or None in scope.values():
                    return owner or ""
        if qualifier is not None and fold(qualifier) in ("new", "old", "excluded"):
            return fold(self.own) if fold(self.own) in self.tables and fold(qualifier) != "excluded" else ""
        return None

    def _has(self, table: str, column: str) -> bool:
        return any(fold(one.name) == fold(column) for one in self.tables[table].columns)

    def _scope(self, statement: Tree) -> Scope:
        """Return the sources of a SELECT, or the table of another statement."""
        found: dict[str, str | None] = {}
        waiting = [statement.get("from_clause"), statement.get("table")]
        while waiting:
            match waiting.pop():
                case {"type": "TableRef", "table_name": name, "alias": alias}:
                    is_table = fold(name) in self.tables and fold(name) not in self.ctes
                    found[_alias(alias) or fold(name)] = fold(name) if is_table else None
                case {"type": "SubqueryTableSource", "alias": alias}:
                    found[_alias(alias) or f"subquery {len(found)}"] = None
                case {"type": "ParenTableSource", "source": source}:
                    waiting.append(source)
                case {"type": "JoinClause", "left": left, "right": right}:
                    waiting += [left, right]
                case _:
                    continue
        return found


def _alias(tree: Tree) -> str:
    return fold(tree["source"]) if isinstance(tree, dict) else ""


def _children(tree: Tree) -> list[Tree]:
    return list(tree["children"]) if isinstance(tree, dict) else []


def _keeps_values(node: Tree) -> bool:
    """Return whether ``node`` compares or returns its operands unchanged; False for most functions."""
    return node.get("type") != "FunctionCall" or node.get("func_name") in _CHOOSING


def _operands(node: Tree) -> Iterator[Sequence[Tree]]:
    """Yield the expressions that ``node`` compares with each other."""
    match node:
        case {"type": "BinaryExpr", "op": op, "left": left, "right": right} if op in _COMPARISONS:
            yield from _by_position([left, right])
        case {"type": "IsExpr", "left": left, "right": right}:
            yield from _by_position([left, right])
        case {"type": "InExpr", "operand": operand, "source": source}:
            yield from _by_position([operand, *_listed(source)])
        case {"type": "LikeExpr", "operand": operand, "pattern": pattern}:
            yield [operand, pattern]
        case {"type": "BetweenExpr", "operand": operand, "low": low, "high": high}:
            yield [operand, low, high]
        case {"type": "CaseExpr", "operand": dict() as operand, "whens": whens}:
            yield [operand, *(when["when_expr"] for when in _children(whens))]
        case {"type": "FunctionCall", "args": args}:
            yield _children(args)
        case _:
            return


def _listed(source: Tree) -> Sequence[Tree]:
    """Return the expressions on the right of IN."""
    match source:
        case {"type": "ExprList"}:
            return _children(source)
        case {"type": "SelectStmt" | "CompoundSelect" | "ValuesClause"}:
            return [{"type": "SubqueryExpr", "select": source}]
        case _:
            return ()


def _by_position(operands: Sequence[Tree]) -> Iterator[Sequence[Tree]]:
    """Yield ``operands``, or the items at each position if they are rows, as in ``(a, b) = ('x', 'y')``."""
    if all(isinstance(one, dict) and one.get("type") == "RowValue" for one in operands):
        yield from zip(*(_children(one["items"]) for one in operands), strict=False)
    else:
        yield operands


def _set_values(setlist: Tree) -> Iterator[tuple[str, Tree]]:
    for clause in _children(setlist):
        match clause:
            case {"column": str(column), "value": value} if column:
                yield column, value
            case {"columns": {"children": names}, "value": {"type": "RowValue", "items": items}}:
                yield from zip((name["column"] for name in names), _children(items), strict=False)
            case _:
                continue


def _rows(source: Tree) -> Iterator[Sequence[Tree]]:
    """Yield the rows that a query returns, as expressions."""
    for part in _parts(source):
        match part:
            case {"type": "ValuesClause", "rows": rows}:
                yield from (_children(row) for row in _children(rows))
            case {"type": "SelectStmt", "columns": columns}:
                yield [item["expr"] for item in _children(columns)]
            case _:
                continue


def _parts(query: Tree) -> Iterator[Tree]:
    """Yield the queries that ``query`` combines, for example with UNION."""
    waiting = [query]
    while waiting:
        match waiting.pop():
            case {"type": "CompoundSelect", "left": left, "right": right}:
                waiting += [right, left]
            case {} as part:
                yield part
            case _:
                continue


def _nodes(tree: Tree) -> Iterator[dict[str, Tree]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _cte_names(tree: Tree) -> frozenset[str]:
    return frozenset(fold(node["cte_name"]) for node in _nodes(tree) if node.get("type") == "CteDefinition")


def column_aliases(trees: Collection[Tree], columns: Collection[str]) -> frozenset[str]:
    """Return ``columns``, which are folded, and the names under which the queries in ``trees`` may return them."""
    names = set(columns)
    size = 0
    while len(names) > size:
        size = len(names)
        for tree in trees:
            for node in _nodes(tree):
                names |= _renamed(node, names)
    return frozenset(names)


def _renamed(node: dict[str, Tree], names: Collection[str]) -> set[str]:
    """Return the new names that ``node`` gives to any of ``names``.

    A result column may have an alias. A view or a CTE may have a list of column names.
    """
    match node:
        case {"type": "ResultColumn", "alias": {"source": alias}, "expr": expr} if _names_one(expr, names):
            return {fold(alias)}
        case {"type": "CreateViewStmt", "column_names": {"children": listed}, "select": select}:
            return _renamed_by_position(listed, select, names)
        case {"type": "CteDefinition", "columns": {"children": listed}, "select": select}:
            return _renamed_by_position(listed, select, names)
        case _:
            return set()


def _renamed_by_position(listed: Sequence[Tree], select: Tree, names: Collection[str]) -> set[str]:
    results = next((_children(node["columns"]) for node in _nodes(select) if node.get("type") == "SelectStmt"), [])
    pairs = zip(listed, results, strict=False)
    return {fold(name["column"]) for name, result in pairs if _names_one(result.get("expr"), names)}


def _names_one(tree: Tree, names: Collection[str]) -> bool:
    return any(node.get("type") == "ColumnRef" and fold(str(node.get("column"))) in names for node in _nodes(tree))
