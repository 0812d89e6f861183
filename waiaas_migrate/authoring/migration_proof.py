"""Prove in memory that a new migration makes its changes, and that its rollback undoes them."""

from __future__ import annotations

import sqlite3

from waiaas_migrate.authoring.row_proof import changed_rows
from waiaas_migrate.authoring.yoyo_reading import first_misread
from waiaas_migrate.errors import ApplyError, MigrationsError, Problem, ProofError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import run_in_memory
from waiaas_migrate.runner.steps import Direction
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.memory import delete_rows
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.introspect import introspect


def prove(before: sqlite3.Connection, transition: Transition, migration: MigrationFile) -> str:
    """Prove that ``migration`` makes only ``transition``, can be rolled back, and is read correctly by yoyo.

    The proof runs the migration on ``before``, the database that the existing migrations build, and rolls it back.

    Returns:
        The fingerprint of the catalog after the migration.

    Raises:
        ProofError: the migration is wrong, which is a fault of waiaas-migrate; the message says what to report.
        MigrationsError: rows that earlier migrations insert conflict with the migration.
    """
    if changed := changed_rows(before, transition, migration):
        raise _fault(f"{migration.id}: " + "\n".join(changed), migration.sql)
    known = transition.known
    run_new(before, migration)
    _expect(introspect(before, known), transition.new, f"{migration.id}.sql does not give the declared schema")
    head = fingerprint(read_catalog(before))
    try:
        run_new(before, migration, "rollback")
    except MigrationsError:
        # A rollback may refuse rows that earlier migrations inserted. If there are no rows, it must work.
        delete_rows(before, (table.name for table in transition.new.tables))
        run_new(before, migration, "rollback")
    what = f"{migration.id}.rollback.sql does not restore the schema from before the migration"
    _expect(introspect(before, known), transition.start, what, column_order=True)
    for content in migration.files.values():
        if first_misread(content) is not None:
            raise _fault(f"{migration.id}: plain yoyo would read its statements differently than SQLite", content)
    return head


def run_new(connection: sqlite3.Connection, migration: MigrationFile, direction: Direction = "apply") -> None:
    """Run a migration that isn't written yet, as the runner would; raise the errors of :func:`prove`."""
    try:
        run_in_memory(connection, migration, direction)
    except ApplyError as error:
        file = f"{migration.id}.sql" if direction == "apply" else f"{migration.id}.rollback.sql"
        tables = [quote_name(row.name) for row in read_catalog(connection) if row.kind == "table"]
        has_rows = any(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables)
        if isinstance(error.__cause__, sqlite3.IntegrityError) and has_rows:
            what = f"was not written, because rows that earlier migrations insert conflict with it: {error.reason}"
            fix = "Change these rows in an earlier migration, or set their values with `backfill` or `enum_values`."
            raise MigrationsError([Problem(file=file, what=what, fix=fix)]) from None
        raise _fault(f"{file}: {error.reason}", migration.files.get(file, "")) from None


def _expect(found: Schema, wanted: Schema, what: str, *, column_order: bool = False) -> None:
    if differences := diff(found, wanted, column_order=column_order):
        listed = "\n".join(f"  {describe(change)}" for change in differences)
        raise _fault(f"{what}. Still missing:\n{listed}", "")


def _fault(what: str, text: str) -> ProofError:
    return ProofError(
        f"The migration failed its proof in memory, so nothing was written. This is a fault of waiaas-migrate, not of "
        f"your schema. Please report it with your schema.yaml and this:\n{what}\n{text}".rstrip()
    )
