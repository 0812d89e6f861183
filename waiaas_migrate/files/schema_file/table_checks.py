"""What no single key of schema.yaml can know: whether the parts of a schema fit together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from waiaas_migrate.files.problem_report import listed, shown, suggestion
from waiaas_migrate.files.schema_file.columns import ReadColumn, literal_default, shown_value
from waiaas_migrate.files.schema_file.foreign_keys import check_foreign_keys
from waiaas_migrate.files.schema_file.objects import ReadObjects
from waiaas_migrate.files.schema_file.tables import ReadTable
from waiaas_migrate.files.schema_file.value_kinds import STRICT_TYPES
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import IndexPart, PrimaryKey
from waiaas_migrate.schema.rowid import rowid_column
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name

#: The keys of a column that have to fit others.
_ASK_FOR_MORE = frozenset({"default", "enum", "generated"})


def check_tables(tables: tuple[ReadTable, ...], objects: ReadObjects) -> None:
    """Note everything about ``tables`` that SQLite would refuse, or that cannot be meant."""
    for read in tables:
        _check_keys(read)
        _check_primary_key(read)
        _check_options(read)
        for column in read.columns:
            if _ASK_FOR_MORE.isdisjoint(column.fields):
                continue
            _check_generated(column)
            _check_default(column)
            _check_enum(column)
    check_foreign_keys(tables, objects)


def _check_keys(read: ReadTable) -> None:
    for key in (*read.primary_keys, *read.uniques, *read.indexes):
        _check_parts(key.key.parts, key.at, read)
    for foreign_key in read.foreign_keys:
        check_column_names(foreign_key.key.columns, foreign_key.at, read)


def _check_parts(parts: Iterable[IndexPart], at: Value, read: ReadTable) -> None:
    check_column_names([part.column for part in parts if part.column is not None], at, read)


def check_column_names(names: Iterable[str], at: Value, read: ReadTable) -> None:
    """Note those of ``names`` that are no columns of the table."""
    if not read.columns:
        return
    for name in names:
        if read.column(name) is None:
            known = [column.column.name for column in read.columns]
            fix = suggestion(name, known, f"Known are {listed(known[:12])}.")
            at.problem(f"the table `{shown(read.table.name)}` has no column `{shown(name)}`.", fix)


def _check_primary_key(read: ReadTable) -> None:
    for extra in read.primary_keys[1:]:
        line = read.primary_keys[0].at.key.position.line
        fix = "Keep one; a key of several columns is written on the table: `primary_key: [a, b]`."
        extra.at.key_problem(f"the table has a primary key already, in line {line}.", fix)
    for found in read.primary_keys:
        if isinstance(found.key, PrimaryKey) and found.key.autoincrement:
            _check_autoincrement(found.key, found.at, read)
    if read.table.without_rowid and not read.primary_keys:
        value = read.fields["without_rowid"]
        value.key_problem("a table without rowid needs a primary key.", "Add `primary_key`, or take this away.")


def _check_autoincrement(key: PrimaryKey, at: Value, read: ReadTable) -> None:
    first = key.parts[0]
    column = read.column(first.column) if first.column is not None else None
    if first.column is not None and column is None:
        return
    # https://www.sqlite.org/autoinc.html: it is a property of the rowid, whose alias is INTEGER PRIMARY KEY.
    if rowid_column(replace(read.table, primary_key=key, without_rowid=False)) is None:
        what = "only a primary key of a single column of type INTEGER, ascending, counts up."
        at.key_problem(what, "Write `{type: integer, primary_key: true, autoincrement: true}`.")
    elif read.table.without_rowid:
        at.key_problem("a table without rowid cannot count up.", "Take `autoincrement` or `without_rowid` away.")


def _check_options(read: ReadTable) -> None:
    if not read.table.strict:
        return
    for column in read.columns:
        declared = column.column.type
        if "type" in column.fields and declared is None and not column.fields["type"].is_null:
            continue  # It could not be read, which has been told.
        if (declared or "").upper() not in STRICT_TYPES:
            value = column.fields.get("type", column.at)
            what = f"the type `{shown(declared)}` is not known" if declared else "a column without a type cannot be"
            value.problem(
                f"{what} in a STRICT table.", f"Write one of {listed(sorted(t.lower() for t in STRICT_TYPES))}."
            )


def _check_generated(column: ReadColumn) -> None:
    if "generated" not in column.fields:
        return
    for key in ("default", "default_sql"):
        if key in column.fields:
            column.fields[key].key_problem("a generated column has no default.", f"Take `{key}` or `generated` away.")
    if column.primary_key is not None:
        fix = "Take `primary_key` or `generated` away."
        column.primary_key.at.key_problem("a generated column cannot be the primary key.", fix)


def _check_default(column: ReadColumn) -> None:
    is_there, default = literal_default(column)
    if not is_there:
        return
    value = column.fields["default"]
    if column.is_boolean and default not in (0, 1):
        value.problem(
            f"a boolean's default must be true or false, but is {shown_value(default)}.", "Write `true` or `false`."
        )
    # A boolean is written as 1 or 0, so that `default: true` is among the values 0 and 1.
    if column.enum is not None and default not in column.enum.values:
        name = f"`{column.enum.name}`" if column.enum.name else "the enum"
        known = [str(allowed) for allowed in column.enum.values]
        fix = suggestion(str(default), known, f"Its values are {listed(known)}.")
        value.problem(f"the default {shown_value(default)} is not among the values of {name}.", fix)


def _check_enum(column: ReadColumn) -> None:
    if column.is_boolean and "enum" in column.fields:
        column.fields["enum"].key_problem("a boolean's values are 0 and 1.", "Take `enum` away, or use another type.")
    if column.enum is None:
        return
    values, hints = column.enum.values, column.column.hints
    if swapped := [
        old for old, _ in hints.renamed_values if old in values and old in dict(hints.renamed_values).values()
    ]:
        _refuse_swap(column, swapped)
        return
    for group, pairs in (("renamed", hints.renamed_values), ("removed", hints.removed_values)):
        for old, new in pairs:
            problem = _replacement_problem(old, new, values, nullable=column.column.not_null is None)
            if problem:
                column.fields["enum_values"].problem(f"{group}: {problem[0]}", problem[1])
    for old in {old for old, _ in hints.renamed_values} & {old for old, _ in hints.removed_values}:
        fix = "Write it under one of the two."
        column.fields["enum_values"].problem(f"{shown_value(old)} is both renamed and removed.", fix)


def _refuse_swap(column: ReadColumn, swapped: Sequence[str | int]) -> None:
    """Note that values change places: nothing in the schema would tell whether rows have been renamed already."""
    name = quote_name(column.column.name)
    cases = " ".join(f"WHEN {quote_literal(a)} THEN {quote_literal(b)}" for a, b in column.column.hints.renamed_values)
    what = f"renamed: {', '.join(map(shown_value, swapped))} would be both an old and a new value."
    fix = f"Write a migration by hand with `UPDATE … SET {name} = CASE {name} {cases} ELSE {name} END`."
    column.fields["enum_values"].problem(what, fix)


def _replacement_problem(
    old: str | int, new: str | int | None, values: tuple[str | int, ...], *, nullable: bool
) -> tuple[str, str] | None:
    if old in values:
        return f"{shown_value(old)} is still a value of the enum.", "Take it out of the enum, or take this away."
    if new is None:
        return None if nullable else ("the column is NOT NULL, so NULL can replace nothing.", "Write a value.")
    if new not in values:
        known = [str(value) for value in values]
        fix = suggestion(str(new), known, f"Its values are {listed(known)}.")
        return f"{shown_value(new)} is not among the values of the enum.", fix
    return None
