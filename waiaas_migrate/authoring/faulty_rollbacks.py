"""Find faulty rollbacks by running them in memory. ``record``, ``check`` and ``lint`` report them.

Only hand-written rollbacks need this, because ``generate`` proves the rollbacks that it writes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from typing import NamedTuple

from waiaas_migrate.errors import ApplyError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import Replay, run_in_memory
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import copy_database
from waiaas_migrate.sqlite.reading.introspect import introspect


class RollbackFault(StrEnum):
    """The fault of a rollback."""

    MISSING = "MISSING_ROLLBACK"
    FAILS = "FAILING_ROLLBACK"
    INCOMPLETE = "INCOMPLETE_ROLLBACK"


class FaultyRollback(NamedTuple):
    """A migration, the fault of its rollback, and a message that describes the fault."""

    migration: MigrationFile
    fault: RollbackFault
    what: str


def faulty_rollbacks(migrations: Sequence[MigrationFile], names: Collection[str]) -> Iterator[FaultyRollback]:
    """Yield the rollbacks of the migrations ``names`` that are missing, fail, or don't restore the schema.

    Migrations in Python and migrations that run outside a transaction are skipped.
    """
    with Replay(migrations) as replayed:
        for number, migration in enumerate(migrations):
            if migration.id not in names or migration.kind != "sql" or not migration.transactional:
                continue
            file = f"{migration.id}.rollback.sql"
            if migration.rollback is None:
                what = f"{migration.id} has no rollback. To be able to roll it back, write {file}."
                yield FaultyRollback(migration, RollbackFault.MISSING, what)
                continue
            before = copy_database(replayed.run(migrations[:number]).connection)
            after = copy_database(replayed.run(migrations[: number + 1]).connection)
            with closing(before), closing(after):
                try:
                    run_in_memory(after, migration, "rollback")
                except ApplyError as error:
                    yield FaultyRollback(migration, RollbackFault.FAILS, f"{file} fails: {error.reason}")
                    continue
                if read_catalog(after) == read_catalog(before):
                    continue
                if differences := diff(introspect(after), introspect(before)):
                    listed = "; ".join(map(describe, differences))
                    what = f"{file} does not restore the schema from before the migration. Missing: {listed}."
                    yield FaultyRollback(migration, RollbackFault.INCOMPLETE, what)
