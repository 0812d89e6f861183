"""Find a migration that plain yoyo ran, but didn't record because yoyo was killed.

The evidence is yoyo's lock row, which remains after the process was killed. Without a lock row, a migration runs even
if its objects exist: somebody may have made them by hand, without the rows that the migration adds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from waiaas_migrate.errors import ApplyError, DatabaseRefused, MigrateError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import database_name


def had_run(
    connection: sqlite3.Connection, folder: MigrationFolder, applied: Sequence[MigrationFile], migration: MigrationFile
) -> bool:
    """Return whether yoyo had run ``migration``, the first pending one, before yoyo was killed.

    A transactional migration runs completely or not at all, so the schema can show whether it ran. If the migration may
    change rows, only a schema that proves that it hasn't run is accepted. Return False for a migration outside
    transactions: it may have stopped halfway, and must run again. ``connection`` must be in a write transaction.
    ``applied`` are the recorded migrations.

    Raises:
        DatabaseRefused: the migration may have run, and it may change rows.
    """
    if not migration.transactional:
        return False
    found = read_facts(connection)
    before, after = _expected(applied, migration)
    if before is None or after is None:
        has_before = has_after = False
    else:
        others = folder.others.except_for(before.names | after.names)
        has_before, has_after = (facts.fingerprint in others.fingerprints(found) for facts in (before, after))
    if has_before and not has_after:
        return False
    if not folder.facts(migration).forward.may_change_rows:
        return has_after and not has_before
    name = migration.id
    raise DatabaseRefused(
        f"{database_name(connection)}: {name} may have run already. Plain yoyo was killed while it migrated this "
        f"database, and the schema doesn't show whether {name}, which can change rows, had committed. Nothing was "
        f"changed. Look at the rows. If {name} has run, record it: `waiaas-migrate adopt FILE --at {name}`. "
        f"If not, remove yoyo's lock row with `yoyo break-lock --database waiaas:///FILE`, then "
        f"apply again."
    )


def recorded_late(migration: str) -> str:
    """Return the notice that ``migration`` had run earlier and has now been recorded."""
    return (
        f"plain yoyo was killed after it ran {migration} and before it recorded it. The schema is exactly the one "
        f"{migration} leads to, so it was recorded as applied."
    )


def hint(error: ApplyError) -> ApplyError:
    """Return ``error``, with a fix added if it says that an object exists already."""
    if "already exists" not in error.reason and "duplicate column" not in error.reason:
        return error
    return error.with_changes(
        reason=f"{error.reason} (Somebody may have made it by hand: then remove it, and apply again. Or plain `yoyo "
        f"apply` was killed before it recorded {error.migration}: if `waiaas-migrate drift` reports nothing that "
        f"{error.migration} doesn't explain, and its rows are there, record it: `waiaas-migrate adopt FILE --at "
        f"{error.migration}`.)"
    )


def _expected(
    applied: Sequence[MigrationFile], migration: MigrationFile
) -> tuple[CatalogFacts | None, CatalogFacts | None]:
    """Return the facts of the catalog before and after ``migration``; None if it can't be replayed."""
    try:
        with Replay((*applied, migration)) as replay:
            before = read_facts(replay.run(applied).connection)
            return before, read_facts(replay.run((*applied, migration)).connection)
    except MigrateError:
        return None, None
