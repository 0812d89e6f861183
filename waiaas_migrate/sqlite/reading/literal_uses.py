"""Find the literals in SQL, and the columns that they are compared with or written to.

``generate`` uses :func:`literal_uses` to find views, triggers and CHECKs that still use a value that an enum loses.
"""

from __future__ import annotations

import itertools
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


class RelatedColumn(NamedTuple):
    """A column that a literal is compared with, or written to.

    Args:
        table: the folded name of the column's table; None for a column of a view or a subquery.
        column: the folded name of the column.
        is_direct: whether the literal is compared with the column's value itself, not with a value computed from it.
    """

    table: str | None
    column: str
    is_direct: bool


class LiteralUse(NamedTuple):
    """A literal ``value``, and the columns that it is compared with or, if ``is_written``, written to."""

    value: str | int
    columns: tuple[RelatedColumn, ...]
    is_written: bool = False


class _ScopedTree(NamedTuple):
    """A part of an expression, and the scopes for its columns, the innermost first.

    ``is_direct``: the whole expression may have the value of this part, not only a value computed from it.
    """

    tree: Tree
    scopes: tuple[Scope, ...]
    is_direct: bool


def literal_uses(tree: Tree, tables: Mapping[str, Table], owner: str) -> Iterator[LiteralUse]:
    """Yield each use of a literal in ``tree``.

    Args:
        tree: the tree of an expression, a CREATE VIEW or a CREATE TRIGGER.
        tables: the tables of the schema, by folded name.
        owner: the table of the expression or trigger; empty for a view.
    """
    ctes = frozenset(fold(node["cte_name"]) for node in _all_nodes(tree) if node.get("type") == "CteDefinition")
    yield from _LiteralFinder(tables, owner, ctes).find(tree)


@dataclass(frozen=True, slots=True)
class _LiteralFinder:
    """Finds the uses of literals; ``ctes`` are the folded names of common table expressions."""

    tables: Mapping[str, Table]
    owner: str
    ctes: Collection[str]

    def find(self, tree: Tree) -> Iterator[LiteralUse]:
        is_statement = isinstance(tree, dict) and str(tree.get("type")).startswith("Create")
        scopes: tuple[Scope, ...] = () if is_statement else ({fold(self.owner): fold(self.owner)},)
        waiting: list[tuple[Tree, tuple[Scope, ...]]] = [(tree, scopes)]
        while waiting:
            node, scopes = waiting.pop()
            if isinstance(node, list):
                waiting += [(item, scopes) for item in reversed(node)]
            if not isinstance(node, dict):
                continue
            if node.get("type") in ("SelectStmt", "UpdateStmt", "DeleteStmt", "InsertStmt"):
                scopes = (self._sources(node), *scopes)
            for operands in _operands(node):
                # Most functions compute a new value from their arguments.
                is_direct = node.get("type") != "FunctionCall" or node.get("func_name") in _CHOOSING
                yield from self._pair(operands, scopes, is_direct=is_direct)
            for column, value in self._written_values(node):
                table = _alias(node["table"]["alias"]) or node["table"]["table_name"]
                target = {"type": "ColumnRef", "column": column, "table": table}
                yield from self._pair((target, value), scopes, is_written=True)
            waiting += [(child, scopes) for child in reversed(node.values())]

    def _pair(
        self, operands: Sequence[Tree], scopes: tuple[Scope, ...], *, is_direct: bool = True, is_written: bool = False
    ) -> Iterator[LiteralUse]:
        """Yield the literals among ``operands``, each with the columns among the other operands."""
        sources = [tuple(self._value_sources(operand, scopes)) for operand in operands]
        for at, own_sources in enumerate(sources):
            columns = tuple(
                column
                for source in itertools.chain(*sources[:at], *sources[at + 1 :])
                if (column := self._related_column(source, is_direct=is_direct)) is not None
            )
            for source in own_sources:
                value = literal_value(source.tree)
                if value is not None and source.is_direct and columns:
                    yield LiteralUse(value, columns, is_written)

    def _written_values(self, node: Tree) -> Iterator[tuple[str, Tree]]:
        """Yield the columns that an INSERT or UPDATE writes, each with the value that it gets."""
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

    def _value_sources(self, tree: Tree, scopes: tuple[Scope, ...]) -> Iterator[_ScopedTree]:
        """Yield the literals and columns that an expression returns or computes its value from."""
        waiting = [_ScopedTree(tree, scopes, is_direct=True)]
        while waiting:
            part = waiting.pop()
            match part.tree:
                case {"type": "ColumnRef" | "Literal"} | {"type": "UnaryExpr", "op": "MINUS"}:
                    yield part
                case {"type": "CollateExpr" | "CastExpr", "expr": expr} | {"type": "UnaryExpr", "operand": expr}:
                    waiting.append(part._replace(tree=expr))
                case {"type": "CaseExpr", "whens": whens, "else_expr": otherwise}:
                    results = [when["then_expr"] for when in _children(whens)]
                    waiting += [part._replace(tree=result) for result in (*results, otherwise)]
                case {"type": "FunctionCall", "func_name": name, "args": args}:
                    is_chosen = part.is_direct and name in _CHOOSING
                    waiting += [_ScopedTree(item, part.scopes, is_chosen) for item in _children(args)]
                case {"type": "SubqueryExpr", "select": select}:
                    waiting += self._selected(part._replace(tree=select))
                case {"type": "BinaryExpr", "op": op, "left": left, "right": right} if (
                    op not in _COMPARISONS and op not in ("AND", "OR")
                ):
                    waiting += [_ScopedTree(side, part.scopes, is_direct=False) for side in (left, right)]
                case _:
                    continue

    def _selected(self, query: _ScopedTree) -> Iterator[_ScopedTree]:
        """Yield the expressions in the rows that a query returns."""
        for part in _single_queries(query.tree):
            scopes = (self._sources(part), *query.scopes)
            yield from (_ScopedTree(item, scopes, query.is_direct) for row in _rows(part) for item in row)

    def _related_column(self, part: _ScopedTree, *, is_direct: bool) -> RelatedColumn | None:
        if part.tree["type"] != "ColumnRef":
            return None
        column = part.tree["column"]
        found = self._find_table(column, part.tree["table"], part.scopes)
        return None if found is None else RelatedColumn(found or None, fold(column), is_direct and part.is_direct)

    def _find_table(self, column: str, qualifier: str | None, scopes: Iterable[Scope]) -> str | None:
        """Return the table of a column; empty for a view or subquery, None if not found."""
        for scope in scopes:
            if qualifier is not None and fold(qualifier) in scope:
                return scope[fold(qualifier)] or ""
            if qualifier is None:
                owner = next((name for name in scope.values() if name and self.tables[name].column(column)), None)
                if owner is not None or None in scope.values():
                    return owner or ""
        if qualifier is not None and fold(qualifier) in ("new", "old", "excluded"):
            return fold(self.owner) if fold(self.owner) in self.tables and fold(qualifier) != "excluded" else ""
        return None

    def _sources(self, statement: Tree) -> Scope:
        """Return the sources in the FROM clause of a statement, and the table that it writes to."""
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
    """Return the folded name of an alias; empty if there is none."""
    return fold(tree["source"]) if isinstance(tree, dict) else ""


def _children(tree: Tree) -> list[Tree]:
    return list(tree["children"]) if isinstance(tree, dict) else []


def _operands(node: Tree) -> Iterator[Sequence[Tree]]:
    """Yield groups of expressions that ``node`` compares, or passes to the same function."""
    match node:
        case {"type": "BinaryExpr" | "IsExpr" as kind, "op": op, "left": left, "right": right} if (
            kind == "IsExpr" or op in _COMPARISONS
        ):
            yield from _by_position([left, right])
        case {"type": "InExpr", "operand": operand, "source": source}:
            yield from _by_position([operand, *_listed_values(source)])
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


def _listed_values(source: Tree) -> Sequence[Tree]:
    match source:
        case {"type": "ExprList"}:
            return _children(source)
        case {"type": "SelectStmt" | "CompoundSelect" | "ValuesClause"}:
            return [{"type": "SubqueryExpr", "select": source}]
        case _:
            return ()


def _by_position(operands: Sequence[Tree]) -> Iterator[Sequence[Tree]]:
    """Yield ``operands``; if they are rows like ``(a, b)``, yield the items by position."""
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
    """Yield the rows that a query returns, each as a list of expressions."""
    for part in _single_queries(source):
        match part:
            case {"type": "ValuesClause", "rows": rows}:
                yield from (_children(row) for row in _children(rows))
            case {"type": "SelectStmt", "columns": columns}:
                yield [item["expr"] for item in _children(columns)]
            case _:
                continue


def _single_queries(query: Tree) -> Iterator[Tree]:
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


def _all_nodes(tree: Tree) -> Iterator[dict[str, Tree]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def column_aliases(trees: Collection[Tree], columns: Collection[str]) -> frozenset[str]:
    """Return ``columns`` and their aliases in the queries of ``trees``; all are folded."""
    names = set(columns)
    size = 0
    while len(names) > size:
        size = len(names)
        for tree in trees:
            for node in _all_nodes(tree):
                names |= _new_names(node, names)
    return frozenset(names)


def _new_names(node: dict[str, Tree], names: Collection[str]) -> set[str]:
    """Return the new names that ``node`` gives to columns in ``names``.

    A column in a result may get an alias. A view or a common table expression may list new names for its columns.
    """
    match node:
        case {"type": "ResultColumn", "alias": {"source": alias}, "expr": expr} if _mentions_any(expr, names):
            return {fold(alias)}
        case {"type": "CreateViewStmt", "column_names": {"children": listed}, "select": select} | {
            "type": "CteDefinition",
            "columns": {"children": listed},
            "select": select,
        }:
            first = next((part for part in _all_nodes(select) if part.get("type") == "SelectStmt"), {})
            pairs = zip(listed, _children(first.get("columns")), strict=False)
            return {fold(name["column"]) for name, result in pairs if _mentions_any(result.get("expr"), names)}
        case _:
            return set()


def _mentions_any(tree: Tree, names: Collection[str]) -> bool:
    return any(node.get("type") == "ColumnRef" and fold(str(node.get("column"))) in names for node in _all_nodes(tree))
