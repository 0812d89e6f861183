"""Rebuild a table: create a new one, copy the rows, replace the old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.model import SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES, rowid_alias, rowid_name
from waiaas_migrate.sqlite.planning import actions as a
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.row_values import has_conflict_clause, keeps_values, row_guards, value_of
from waiaas_migrate.sqlite.planning.table_text import renamed, smallest_piece, text_steps, written_name
from waiaas_migrate.sqlite.planning.transition import TableChanges
from waiaas_migrate.sqlite.reading.ddl import LITERAL_WORDS, names_in, without_table_prefix
from waiaas_migrate.sqlite.reading.grammar import tokenize, without_comments
from waiaas_migrate.sqlite.reading.spelling import sql_name, sql_value


def rebuild(table: TableChanges, new: Table) -> a.Step:
    """Return the step that creates ``new``, copies the rows, and drops the old table.

    ``new`` is ``table.new`` with its columns in the order in which they will be stored.
    """
    old, new_table = table.old, f"_waiaas_new_{new.name}"
    create, definition_guard = _create_and_guard(table, new, new_table)
    copy = a.CopyRows(
        table=new.name,
        new_table=new_table,
        copied=tuple(_copied_values(old, new)) or (_placeholder_value(new),),
        tests_checks=not _keeps_checks(old, new),
        or_abort=has_conflict_clause(new),
    )
    objects = (*(fold(index.name) for index in old.indexes), *table.triggers)
    return a.Step(
        words="; ".join(describe(change) for change in table.changes),
        cost=Cost.REBUILD,
        actions=(
            *_addition_guards(table, new),
            *_rowid_guards(old, new),
            a.CreateBeside(create=create),
            copy,
            definition_guard,
            a.GuardObjects(table=new.name, names=objects),
            a.ReplaceTable(
                table=new.name,
                new_table=new_table,
                old_table=f"_waiaas_old_{new.name}",
                keeps_sequence=all(key is not None and key.autoincrement for key in (old.primary_key, new.primary_key)),
            ),
        ),
    )


def _addition_guards(table: TableChanges, new: Table) -> Iterator[a.GuardNoRow]:
    """Yield guards for added columns without a backfill, except the rowid."""
    for change in table.additions:
        if change.new.hints.backfill is None and fold(change.new.name) != rowid_alias(new):
            yield from row_guards(new, change)


def _create_and_guard(table: TableChanges, new: Table, new_table: str) -> tuple[str, a.GuardDefinition]:
    """Return the CREATE TABLE of ``new_table``, and a guard for the old definition."""
    name, temporary = written_name(table.text), sql_name(new_table)
    guard = a.GuardDefinition(
        table=table.old.name, new_table=new_table, name_piece=a.Piece(old=temporary, new=name), text=table.text
    )
    steps = None
    # A CHECK may refer to column x of table t as ``t.x``. The new table has another name at first, and its rename in
    # legacy mode would not change the CHECK.
    checks = [(check, without_table_prefix(check.expression.sql, new.name)) for check in new.checks]
    is_qualified = any(text != check.expression.sql for check, text in checks)
    # SQLite would read a string in double quotes as a new column of the same name, so write the text from scratch.
    if not (is_qualified or table.strings):
        steps = text_steps(table.text, table.old, table.changes, table.transition.write, new)
    if steps is None:
        bare = (replace(check, expression=replace(check.expression, sql=text)) for check, text in checks)
        return table.transition.write(replace(new, name=new_table, checks=tuple(bare))), guard
    pieces = tuple(smallest_piece(step.after, step.before) for step in reversed(steps))
    create = renamed(steps[-1].after if steps else table.text, temporary)
    return create, replace(guard, pieces=pieces, text=None)


def _rowid_guards(old: Table, new: Table) -> list[a.GuardNoRow]:
    """Return a guard against NULLs in a new rowid column, which SQLite would number."""
    alias = rowid_alias(new)
    column = old.column(alias) if alias is not None and alias != rowid_alias(old) else None
    if column is None or column.not_null is not None:
        return []
    rule = f"rows have no value in {column.name}, which becomes the primary key"
    return [a.GuardNoRow(table=new.name, rule=rule, where=f"{sql_name(column.name)} IS NULL")]


def _keeps_checks(old: Table, new: Table) -> bool:
    """Return whether copied rows pass all CHECKs because the old rows passed them."""
    old_keys = {check.expression.key for check in old.checks}
    names = frozenset[str]().union(*(names_in(check.expression.sql) for check in new.checks))
    are_old = bool(new.checks) and all(check.expression.key in old_keys for check in new.checks)
    return are_old and all(_keeps_value(old, new, name) for name in names)


def _keeps_value(old: Table, new: Table, name: str) -> bool:
    """Return whether ``name`` in an expression has the same value in a copied row."""
    before, after = old.column(name), new.column(name)
    if before is None or after is None:
        return before is after and name not in ROWID_NAMES
    return after.generated is None and keeps_values(old, new, before, after)


def _copied_values(old: Table, new: Table) -> Iterator[a.Assignment]:
    """Yield the values to copy, also of the rowid; not generated values or defaults."""
    alias = rowid_alias(new)
    if (rowid := rowid_name(old, new)) is not None and alias is None:
        yield a.Assignment(column=rowid, source=rowid)
    for column in new.columns:
        if column.generated is not None:
            continue
        source = value_of(old, column)
        if source is None and alias == fold(column.name) and old.column(column.name) is None:
            source = rowid
        if source is not None:
            yield a.Assignment(column=column.name, source=source)


def _placeholder_value(new: Table) -> a.Assignment:
    """Return a value to copy if no column is copied: a new rowid, or a default."""
    rowid = rowid_name(new)
    if rowid is not None:
        return a.Assignment(column=rowid, source="NULL")
    column = next(column for column in new.columns if column.generated is None)
    source = "NULL" if column.default is None else f"({_as_expression(column.default)})"
    return a.Assignment(column=column.name, source=source)


def _as_expression(default: SqlText) -> str:
    """Return a DEFAULT as an expression, in which a bare name becomes a string."""
    tokens = without_comments(tokenize(default.sql))
    if len(tokens) == 1 and tokens[0].is_name and tokens[0].word not in LITERAL_WORDS | {"TRUE", "FALSE"}:
        return sql_value(tokens[0].name)
    return default.sql
