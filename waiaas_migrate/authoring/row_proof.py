"""The proof of a migration on rows: those that stay are the same afterwards, one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress

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

#: A table and some of its columns, by their names at one point of the migration.
Part = tuple[str, list[str]]


def lost_rows(before: sqlite3.Connection, transition: Transition, migration: MigrationFile) -> list[str]:
    """Run a migration and its rollback on sample rows; report rows that they change but shouldn't.

    Nothing is compared if the migration refuses these rows, as one with a new NOT NULL may. Every table that the
    migration could change has rows.
    """
    tables = _within_reach(transition.start, f"{migration.sql}\n{migration.rollback}")
    kept = list(_kept(transition, tables))
    with closing(copy(before)) as database, suppress(ApplyError):
        insert_sample_rows(database, tables)
        wanted = [rows_of(database, *part) for part, _ in kept]
        run_in_memory(database, migration)
        changed = _changed(database, f"{migration.id}.sql", [part for _, part in kept], wanted)
        if changed:
            return changed
        run_in_memory(database, migration, "rollback")
        return _changed(database, f"{migration.id}.rollback.sql", [part for part, _ in kept], wanted)
    return []


def _changed(database: sqlite3.Connection, file: str, parts: Sequence[Part], wanted: Sequence[list[str]]) -> list[str]:
    return [
        f"{file} changes rows of {part[0]}: {rows} become {found}"
        for part, rows in zip(parts, wanted, strict=True)
        if (found := rows_of(database, *part)) != rows
    ]


def _within_reach(schema: Schema, text: str) -> tuple[Table, ...]:
    """Return the tables that ``text`` may change: those whose names are in it, or in a trigger or view.

    Foreign keys are not enforced in the proof, so no statement reaches further through them.
    """
    texts = [text, *(view.statement.sql for view in schema.views)]
    texts += [trigger.statement.sql for trigger in schema.triggers]
    folded = fold("\n".join(texts))
    return tuple(
        table for table in schema.tables if (name := fold(table.name)) in folded or not name.replace("_", "").isalnum()
    )


def _kept(transition: Transition, tables: Iterable[Table]) -> Iterator[tuple[Part, Part]]:
    """Yield the columns that must keep their values, as named before and after the migration."""
    renames, after = transition.renames, transition.new.by_name()
    for start in tables:
        new = after.get(fold(renames.table_after(start.name)))
        if new is None:
            continue
        columns = {fold(column.name): column for column in new.columns}
        pairs = [(column, columns.get(fold(renames.column_after(new.name, column.name)))) for column in start.columns]
        same = [(old.name, one.name) for old, one in pairs if one is not None and _keeps_values(old, one, start, new)]
        if (rowid := rowid_name(start, new)) is not None:
            same.append((rowid, rowid))
        if same:
            yield (start.name, [old for old, _ in same]), (new.name, [name for _, name in same])


def _keeps_values(old: Column, new: Column, before: Table, after: Table) -> bool:
    hints = new.hints
    if old.generated is not None or new.generated is not None or hints.backfill is not None:
        return False
    is_mapped = hints.renamed_values or hints.removed_values
    return not is_mapped and affinity(old.type, strict=before.strict) == affinity(new.type, strict=after.strict)
