"""Write a schema as schema.yaml, as briefly as the format allows.

Reading the text gives a schema with the same meaning. Hints for ``generate`` are left out, because they only say how
to change a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from waiaas_migrate.files.enum_sources.definitions import value_list_problem
from waiaas_migrate.files.enum_sources.load_enums import EnumSource
from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.forms import unsupported
from waiaas_migrate.files.schema_file.load_schema import VERSION
from waiaas_migrate.files.schema_file.value_kinds import write_expression, write_name, write_object_name
from waiaas_migrate.files.yaml_text.scalars import Scalar, ScalarError, resolve
from waiaas_migrate.files.yaml_text.yaml_reader import as_data
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Lines, Paragraph, yaml_text
from waiaas_migrate.schema.foreign_keys import is_enforceable
from waiaas_migrate.schema.model import Check, Column, ForeignKey, Schema, SqlText, Table, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.layout import ColumnLayout, TableLayout, layout
from waiaas_migrate.sqlite.quoting import membership, quote_literal
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize, without_comments
from waiaas_migrate.sqlite.reading.spelling import tidy_whitespace

_BOOLEAN = (0, 1)


class EnumReference(NamedTuple):
    """A reference to an enum. ``by_names``: the column stores names of its members."""

    name: str
    by_names: bool = False


#: References to enums, by the names (in lower case) of the table and column that use them.
Links = Mapping[tuple[str, str], EnumReference]

_NO_LINKS: Links = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _TableContext:
    """The table of a column, and its references to enums by the column's name in lower case.

    ``external`` has the foreign keys that don't refer to a unique key of a table in the schema.
    """

    table: str
    columns: tuple[str, ...]
    enums: Mapping[str, EnumReference]
    external: Collection[ForeignKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListCheck:
    """The CHECK to write as ``boolean`` or ``enum``, and its values; or no CHECK."""

    is_boolean: bool = False
    values: tuple[str | int, ...] = ()
    check: Check | None = None


def schema_text(
    schema: Schema,
    *,
    pragmas: Iterable[tuple[str, str | int]] = (),
    enums: Links = _NO_LINKS,
    enum_sources: Sequence[EnumSource] = (),
) -> str:
    """Return ``schema`` as a schema.yaml, with its tables and columns in order.

    ``enums`` are the columns whose list of values is written as a reference to an enum. ``enum_sources`` are the
    modules and files that define these enums.

    Raises:
        UnsupportedError: schema.yaml can't express a part of the schema; the message names the part.
    """
    top = Lines({"version": VERSION})
    if enum_sources:
        sources = [source.name if source.mapping is None else as_data(source.mapping) for source in enum_sources]
        top["enums"] = sources[0] if len(sources) == 1 else sources
    if settings := dict(pragmas):
        top["pragmas"] = Lines(settings)
    return yaml_text(top | schema_data(schema, enums=enums))


def schema_data(schema: Schema, *, enums: Links = _NO_LINKS) -> Lines:
    """Return the sections of a schema.yaml as YAML data; see :func:`schema_text`."""
    parents = {fold(table.name): table for table in schema.tables}
    tables = {write_object_name(table.name, "table"): _table(table, parents, enums) for table in schema.tables}
    objects = {
        "virtual_tables": _objects(schema.virtual_tables, "virtual table", ddl.read_virtual_table),
        "views": _objects(schema.views, "view", ddl.read_view),
        "triggers": _objects(schema.triggers, "trigger", ddl.read_trigger),
    }
    return Lines({"tables": Lines(tables), **{name: section for name, section in objects.items() if section}})


def _table(table: Table, parents: Mapping[str, Table], enums: Links) -> Lines:
    linked = {column: name for (owner, column), name in enums.items() if owner == fold(table.name)}
    where, table_layout = f"table {table.name}", layout(with_lists_on_columns(table, linked))
    keys = [(key, parents.get(fold(key.table))) for key in table.foreign_keys]
    context = _TableContext(
        table=table.name,
        columns=tuple(column.name for column in table.columns),
        enums=linked,
        external={key for key, parent in keys if parent is None or not is_enforceable(parent, key)},
    )
    fields = k.TABLE.write(replace(table, renamed_from=None), context.columns, where)
    fields |= _constraint_fields(table_layout, context, where)
    fields["columns"] = Lines(
        {write_name(column.column.name, (), where): _column_data(column, context) for column in table_layout.columns}
    )
    return Lines({name: fields[name] for name in k.TABLE.keys if fields.get(name)})


def with_lists_on_columns(table: Table, linked: Container[str] | None = None) -> Table:
    """Return ``table`` with each CHECK that lists the values of a column moved to that column.

    A column gets at most one list. If ``linked`` is given, move only lists of these columns (names in lower case).
    """
    columns = {fold(column.name): column for column in table.columns if linked is None or fold(column.name) in linked}
    taken = {fold(check.column) for check in table.checks if check.column is not None and check.allowed is not None}
    checks = []
    for check in table.checks:
        column = columns.get(check.allowed.column) if check.column is None and check.allowed is not None else None
        if column is not None and fold(column.name) not in taken and is_usable_list(check, column):
            taken.add(fold(column.name))
            check = replace(check, column=column.name)  # noqa: PLW2901
        checks.append(check)
    return replace(table, checks=tuple(checks))


def _constraint_fields(table_layout: TableLayout, context: _TableContext, where: str) -> dict[str, Data]:
    """Return indexes and constraints, except those that columns declare."""
    columns = context.columns
    uniques = [*table_layout.uniques, *(unique for column in table_layout.columns for unique in column.uniques[1:])]
    keys = [*table_layout.foreign_keys, *(key for column in table_layout.columns for key in column.foreign_keys[1:])]
    primary_key = table_layout.primary_key
    return {
        "primary_key": None if primary_key is None else k.PRIMARY_KEY.shortest(primary_key, columns, where),
        "unique": [k.UNIQUE.shortest(unique, columns, where) for unique in uniques],
        "checks": _check_fields(table_layout.checks, columns, where),
        "foreign_keys": [_foreign_key(key, context, where) for key in keys],
        "indexes": Lines(
            {
                write_object_name(index.name, "index"): k.INDEX.shortest(index, columns, f"index {index.name}")
                for index in table_layout.table.indexes
            }
        ),
    }


def _check_fields(checks: Sequence[Check], columns: tuple[str, ...], where: str) -> Data:
    """Return CHECKs as a mapping if all have different names, or else as a list."""
    named = {check.name: check.expression for check in checks if check.name is not None}
    if len(named) < len(checks):
        return [k.CHECK.shortest(check, columns, where) for check in checks]
    return Lines({write_name(name, (), where): write_expression(sql, columns, where) for name, sql in named.items()})


def _foreign_key(key: ForeignKey, context: _TableContext, where: str) -> Data:
    fields = k.FOREIGN_KEY.write(key, context.columns, where)
    fields["references"] = _reference_data(key, context, where, {})
    return {name: fields[name] for name in k.FOREIGN_KEY.keys if name in fields}


def _objects(items: Sequence[View | Trigger | VirtualTable], kind: str, read: Callable[[str, str], object]) -> Lines:
    return Lines({write_object_name(item.name, kind): _statement(item, kind, read) for item in items})


def _statement(item: View | Trigger | VirtualTable, kind: str, read: Callable[[str, str], object]) -> Data:
    """Return a CREATE statement or, for a view without a column list, its SELECT."""
    sql = tidy_whitespace(item.statement.sql)
    try:
        if isinstance(item, View):
            sql = ddl.select_of(sql) or sql
        read(item.name, sql)
    except SqlError as error:
        raise unsupported(f"{kind} {item.name}", f"its text could not be read back: {error}.") from None
    return Paragraph(sql + "\n") if "\n" in sql else sql


def _column_data(layout: ColumnLayout, context: _TableContext) -> Data:
    """Return a column as YAML data: its mapping or, if only the type is set, its type."""
    column, columns, where = layout.column, context.columns, f"table {context.table}, column {layout.column.name}"
    listing = _find_list_check(layout, context)
    fields = k.COLUMN.write(column, columns, where)
    fields |= _default_fields(column.default, listing, where) | _key_fields(layout, where) | _conflict_fields(layout)
    fields |= _column_constraint_fields(layout, listing, context, where)
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


def _find_list_check(layout: ColumnLayout, context: _TableContext) -> _ListCheck:
    """Return the CHECK to write as ``boolean`` or ``enum``, if any.

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


def _column_constraint_fields(
    layout: ColumnLayout, listing: _ListCheck, context: _TableContext, where: str
) -> dict[str, Data]:
    fields: dict[str, Data] = {}
    unlisted = [check for check in layout.checks if check is not listing.check]
    if checks := [k.CHECK.shortest(check, context.columns, where) for check in unlisted]:
        fields["check"] = checks[0] if len(checks) == 1 else checks
    if layout.foreign_keys:
        key = layout.foreign_keys[0]
        options = k.REFERENCE_OPTIONS.write(key, context.columns, where)
        fields["references"] = _reference_data(key, context, where, options)
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


def _reference_data(key: ForeignKey, context: _TableContext, where: str, options: dict[str, Data]) -> Data:
    """Return ``references``: ``table.column``, ``table``, or a mapping with options."""
    fields = k.PARENT.write(key, (), where) | ({"external": True} if key in context.external else {}) | options
    table, column = fields["table"], fields.get("column", "")
    if not isinstance(table, str) or not isinstance(column, str) or "." in column:
        return fields
    if fields.keys() == {"table"} and "." not in table:
        return table
    return f"{table}.{column}" if fields.keys() == {"table", "column"} else fields
