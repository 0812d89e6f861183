"""Decide whether ALTER TABLE … DROP COLUMN works and changes nothing else."""

from __future__ import annotations

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.expressions import expressions
from waiaas_migrate.schema.model import Column, Schema, Table, written_on
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.table_text import drops_cleanly
from waiaas_migrate.sqlite.planning.transition import TableChanges, Transition
from waiaas_migrate.sqlite.reading.ddl import names_in
from waiaas_migrate.sqlite.reading.quoted_strings import is_string_term


def can_drop_column(table: TableChanges, column: Column) -> bool:
    """Return whether DROP COLUMN can drop ``column``; False if in doubt."""
    name = fold(column.name)
    own_checks = [check for check in table.old.checks if written_on(check) == name]
    uses = [text.sql for owner, _, text in expressions(table.old) if owner not in own_checks]
    uses += view_and_trigger_sql(table.transition.old)
    return (
        column.generated is None
        and name not in _key_columns(table.old)
        and not any(name in names_in(text) for text in uses)
        and _keeps_comments(table, name)
        and _schema_allows(table.transition)
    )


def view_and_trigger_sql(schema: Schema) -> list[str]:
    """Return the SQL of all views and triggers."""
    return [trigger.statement.sql for trigger in schema.triggers] + [view.statement.sql for view in schema.views]


def _key_columns(table: Table) -> set[str]:
    """Return the folded names of the columns in keys, indexes and foreign keys."""
    keys = [table.primary_key, *table.uniques, *table.indexes]
    names = [part.column or "" for key in keys if key is not None for part in key.parts]
    names += [column for key in table.foreign_keys for column in key.columns]
    names += [target for key in table.foreign_keys if fold(key.table) == fold(table.name) for target in key.targets]
    return set(map(fold, names))


def _keeps_comments(table: TableChanges, name: str) -> bool:
    """Return whether all other columns keep their comments."""
    columns = [fold(column.name) for column in table.old.columns]
    dropped = {fold(change.old.name) for change in table.changes if isinstance(change, c.DropColumn)}
    at = columns.index(name)
    return drops_cleanly(table.text, at, is_last=dropped.issuperset(columns[at + 1 :]))


def _schema_allows(transition: Transition) -> bool:
    """Return whether DROP COLUMN works and leaves all other objects as they are.

    It fails if an index is on a string in double quotes, or if a view or trigger uses a table that the migration drops.
    It writes ``""`` as ``''`` in all views and triggers.
    """
    parts = [part for table in transition.old.tables for index in table.indexes for part in index.parts]
    dropped = {fold(table.name) for table in transition.dropped(Table)}
    return not (
        any(part.expression is not None and is_string_term(part.expression.sql) for part in parts)
        or any(dropped & names_in(text) for text in view_and_trigger_sql(transition.new))
        or any('""' in text for text in view_and_trigger_sql(transition.old))
    )
