"""Write a column, with its constraints, as YAML data for schema.yaml."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from waiaas_migrate.files.enum_sources.definitions import value_list_problem
from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.value_kinds import write_expression, write_name
from waiaas_migrate.files.yaml_text.scalars import Scalar, ScalarError, resolve
from waiaas_migrate.files.yaml_text.yaml_writer import Data
from waiaas_migrate.schema.model import Check, Column, ForeignKey, SqlText
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import ColumnLayout
from waiaas_migrate.sqlite.quoting import membership, quote_literal
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import tokenize, without_comments

_BOOLEAN = (0, 1)

Values = tuple[str | int, ...]


class EnumReference(NamedTuple):
    """A reference to an enum. ``by_names``: the column stores names of its members."""

    name: str
    by_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContext:
    """The table of a column.

    Args:
        table: the table's name.
        columns: the names of its columns.
        enums: the references to enums, by folded name of the column.
        external: the foreign keys that don't refer to a unique key of a table in the schema.
    """

    table: str
    columns: tuple[str, ...]
    enums: Mapping[str, EnumReference]
    external: Collection[ForeignKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListCheck:
    """The CHECK to write as ``boolean`` or ``enum``, and its values; or no CHECK."""

    is_boolean: bool = False
    values: Values = ()
    check: Check | None = None


def column_data(layout: ColumnLayout, context: TableContext) -> Data:
    """Return a column as YAML data: its mapping or, if only the type is set, its type.

    Raises:
        UnsupportedError: schema.yaml can't express a part of the column; the message names the part.
    """
    column, columns, where = layout.column, context.columns, f"table {context.table}, column {layout.column.name}"
    listing = _find_list_check(layout, context)
    fields = k.COLUMN.write(column, columns, where)
    fields |= _default_fields(column.default, listing, where) | _key_fields(layout, where) | _conflict_fields(layout)
    fields |= _constraint_fields(layout, listing, context, where)
    if column.not_null is not None:
        fields["nullable"] = False
        fields |= {} if column.not_null.name is None else {"not_null_name": write_name(column.not_null.name, (), where)}
    if listing.is_boolean:
        fields["type"] = "boolean"
    elif listing.check is not None:
        fields["enum"] = _enum_data(listing, listing.check, context.enums.get(fold(column.name)), where)
    if fields.keys() <= {"type"}:
        return fields.get("type")
    return {name: fields[name] for name in k.COLUMN.keys if name in fields}


def _find_list_check(layout: ColumnLayout, context: TableContext) -> _ListCheck:
    """Return the CHECK to write as ``boolean`` or ``enum``.

    For a column that is linked to an enum, this is the first CHECK with a list of values. For another column, it is the
    first one that equals the CHECK that ``boolean`` or ``enum`` would generate.
    """
    column = layout.column
    is_linked, is_integer = fold(column.name) in context.enums, fold(column.type or "") == "integer"
    for check in layout.checks:
        if check.allowed is None or not is_usable_list(check, column):
            continue
        values = check.allowed.values
        is_boolean = not is_linked and is_integer and check.name is None and values == _BOOLEAN
        sql = membership(column.name, values, nullable=column.not_null is None and not is_boolean)
        if is_linked or ddl.read_expression(sql, context.columns).key == check.expression.key:
            return _ListCheck(is_boolean=is_boolean, values=values, check=check)
    return _ListCheck()


def is_usable_list(check: Check, column: Column) -> bool:
    """Return whether ``check`` lists values of ``column`` that ``enum`` can declare."""
    found = check.allowed
    return found is not None and found.column == fold(column.name) and not value_list_problem(found.values)


def _enum_data(listing: _ListCheck, check: Check, enum: EnumReference | None, where: str) -> Data:
    """Return the value of the key ``enum``: a name, a list of values, or a mapping."""
    fields: dict[str, Data] = {"values": list(listing.values)} if enum is None else {"name": enum.name}
    fields |= {"stores": "names"} if enum is not None and enum.by_names else {}
    if check.name is not None:
        fields["constraint"] = write_name(check.name, (), where)
    return fields if len(fields) > 1 else next(iter(fields.values()))


def _default_fields(default: SqlText | None, listing: _ListCheck, where: str) -> dict[str, Data]:
    """Return ``default`` if the default is a literal, or else ``default_sql``."""
    if default is None:
        return {}
    tokens = without_comments(tokenize(default.sql))
    sql = tokens[0].text if len(tokens) == 1 else default.sql
    literal = _literal(sql)
    if quote_literal(literal) != (sql.upper() if literal is None else sql):
        return {"default_sql": write_expression(default, (), where)}
    if listing.is_boolean and isinstance(literal, int) and literal in _BOOLEAN:
        return {"default": bool(literal)}
    is_listed = literal is None or literal in (listing.values or (literal,))
    return {"default": literal} if is_listed else {"default_sql": sql}


def _literal(sql: str) -> Scalar:
    """Return the value of an SQL literal. The result for other SQL has no meaning."""
    if sql[:1] == "'":
        return sql[1:-1].replace("''", "'")
    try:
        return resolve(sql, plain=True)
    except ScalarError:
        return None


def _key_fields(layout: ColumnLayout, where: str) -> dict[str, Data]:
    fields: dict[str, Data] = {}
    if (key := layout.primary_key) is not None:
        order: dict[str, Data] = {"order": "desc"} if key.parts[0].descending else {}
        fields["primary_key"] = order | k.COLUMN_PRIMARY_KEY.write(replace(key, on_conflict=None), (), where) or True
        if key.autoincrement:
            fields["autoincrement"] = True
    if layout.uniques:
        fields["unique"] = k.COLUMN_UNIQUE.write(replace(layout.uniques[0], on_conflict=None), (), where) or True
    return fields


def _constraint_fields(layout: ColumnLayout, listing: _ListCheck, context: TableContext, where: str) -> dict[str, Data]:
    fields: dict[str, Data] = {}
    unlisted = [check for check in layout.checks if check is not listing.check]
    if checks := [k.CHECK.shortest(check, context.columns, where) for check in unlisted]:
        fields["check"] = checks[0] if len(checks) == 1 else checks
    if layout.foreign_keys:
        key = layout.foreign_keys[0]
        options = k.REFERENCE_OPTIONS.write(key, context.columns, where)
        fields["references"] = reference_data(key, context, where, options)
    return fields


def _conflict_fields(layout: ColumnLayout) -> dict[str, Data]:
    """Return ``on_conflict``: a word if there is one constraint, else a mapping."""
    constraints = {
        "not_null": layout.column.not_null,
        "primary_key": layout.primary_key,
        "unique": layout.uniques[0] if layout.uniques else None,
    }
    clauses = {name: constraint.on_conflict for name, constraint in constraints.items() if constraint is not None}
    fields: dict[str, Data] = {name: clause.lower() for name, clause in clauses.items() if clause is not None}
    if not fields:
        return {}
    return {"on_conflict": next(iter(fields.values())) if len(clauses) == 1 else fields}


def reference_data(key: ForeignKey, context: TableContext, where: str, options: dict[str, Data]) -> Data:
    """Return ``references``: ``table.column``, ``table``, or a mapping with options."""
    fields = k.PARENT.write(key, (), where) | ({"external": True} if key in context.external else {}) | options
    table, column = fields["table"], fields.get("column", "")
    if not isinstance(table, str) or not isinstance(column, str) or "." in column:
        return fields
    if fields.keys() == {"table"} and "." not in table:
        return table
    return f"{table}.{column}" if fields.keys() == {"table", "column"} else fields
