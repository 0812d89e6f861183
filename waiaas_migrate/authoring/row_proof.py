"""The proof of a migration on rows: those that stay are the same afterwards, one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from waiaas_migrate.authoring.sample_rows import insert_sample_rows, rows_of
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import run_in_memory
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.model import Column, Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_name
from waiaas_migrate.sqlite.database.memory import copy
from waiaas_migrate.sqlite.planning.transition import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A table that stays, and those of its columns whose values stay, by their names before and after."""

    table_before: str
    columns_before: tuple[str, ...]
    table_after: str
    columns_after: tuple[str, ...]


def lost_rows(before: sqlite3.Connection, transition: Transition, migration: MigrationFile) -> list[str]:
    """Run a migration and its rollback on made-up rows; report rows that they change but shouldn't.

    Nothing is compared if the migration refuses these rows, as one with a new NOT NULL may. Every table has rows that
    the migration could possibly change.
    """
    tables = _within_reach(transition.start, f"{migration.sql}\n{migration.rollback}")
    kept = tuple(_kept(transition, tables))
    with closing(copy(before)) as database, suppress(ApplyError):
        insert_sample_rows(database, tables)
        wanted = [rows_of(database, table.table_before, table.columns_before) for table in kept]
        run_in_memory(database, migration)
        found = [rows_of(database, table.table_after, table.columns_after) for table in kept]
        if found != wanted:
            return _changed(f"{migration.id}.sql", [table.table_after for table in kept], wanted, found)
        run_in_memory(database, migration, "rollback")
        found = [rows_of(database, table.table_before, table.columns_before) for table in kept]
        return _changed(f"{migration.id}.rollback.sql", [table.table_before for table in kept], wanted, found)
    return []


def _changed(file: str, names: list[str], wanted: list[list[str]], found: list[list[str]]) -> list[str]:
    return [
        f"{file} changes rows of {name}: {before} become {after}"
        for name, before, after in zip(names, wanted, found, strict=True)
        if before != after
    ]


def _within_reach(schema: Schema, text: str) -> tuple[Table, ...]:
    """The tables that statements may touch: those whose names stand in them, or in a trigger or view that they meet.

    Foreign keys are not enforced in the proof, and so take nothing further.
    """
    texts = [text, *(view.statement.sql for view in schema.views)]
    texts += [trigger.statement.sql for trigger in schema.triggers]
    folded = fold("\n".join(texts))
    return tuple(
        table for table in schema.tables if (name := fold(table.name)) in folded or not name.replace("_", "").isalnum()
    )


def _kept(transition: Transition, tables: Iterable[Table]) -> Iterator[_Kept]:
    renames = transition.renames
    after = {fold(table.name): table for table in transition.new.tables}
    for start in tables:
        new = after.get(fold(renames.table_after(start.name)))
        if new is None:
            continue
        columns = {fold(column.name): column for column in new.columns}
        pairs = [(column, columns.get(fold(renames.column_after(new.name, column.name)))) for column in start.columns]
        same = [
            (old.name, other.name)
            for old, other in pairs
            if other is not None and _keeps_values(old, other, start, new)
        ]
        name = rowid_name(start, new)
        same += [] if name is None else [(name, name)]
        if same:
            yield _Kept(
                table_before=start.name,
                columns_before=tuple(before for before, _ in same),
                table_after=new.name,
                columns_after=tuple(name for _, name in same),
            )


def _keeps_values(old: Column, new: Column, before: Table, after: Table) -> bool:
    hints = new.hints
    is_told = hints.backfill is not None or hints.renamed_values or hints.removed_values
    is_stored = old.generated is None and new.generated is None
    return (
        is_stored
        and not is_told
        and affinity(old.type, strict=before.strict) == affinity(new.type, strict=after.strict)
    )
