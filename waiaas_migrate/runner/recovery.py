"""Find a migration that plain yoyo ran but didn't record, because yoyo was killed in between.

The evidence is yoyo's lock row, which remains after yoyo was killed. Without a lock row, the migration runs even if its
objects exist: somebody may have created them by hand, without the rows that the migration adds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress

from waiaas_migrate.errors import ApplyError, DatabaseRefused, MigrateError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.sqlite.database.catalog import read_facts
from waiaas_migrate.sqlite.database.connection import database_name


def had_run(
    connection: sqlite3.Connection, folder: MigrationFolder, applied: Sequence[MigrationFile], migration: MigrationFile
) -> bool:
    """Return whether yoyo had run ``migration``, the first pending one, before yoyo was killed.

    A transactional migration runs completely or not at all, so the schema can show whether it ran. A migration that may
    change rows is different: the schema can show only that it hasn't run. A migration outside transactions may have
    stopped halfway and must run again, so return False. ``connection`` must be in a write transaction, and ``applied``
    are the recorded migrations.

    Raises:
        DatabaseRefused: the migration may have run, and may change rows.
    """
    if not migration.transactional:
        return False
    is_before = is_after = False  # whether the schema is the one before or after ``migration``; both if they are equal
    with suppress(MigrateError), Replay((*applied, migration)) as replay:
        before = read_facts(replay.run(applied).connection)
        after = read_facts(replay.run((*applied, migration)).connection)
        fingerprints = folder.other_tools.with_declared(before.names | after.names).fingerprints(read_facts(connection))
        is_before, is_after = before.fingerprint in fingerprints, after.fingerprint in fingerprints
    if is_before and not is_after:
        return False
    if not folder.facts(migration).forward.may_change_rows:
        return is_after and not is_before
    name = migration.id
    raise DatabaseRefused(
        f"{database_name(connection)}: {name} may have run already. Plain yoyo was killed while it migrated this "
        f"database, and the schema doesn't show whether {name}, which can change rows, had committed. Nothing was "
        f"changed. Look at the rows. If {name} has run, record it: `waiaas-migrate adopt FILE --at {name}`. If not, "
        f"remove yoyo's lock row with `yoyo break-lock --database waiaas:///FILE`, then apply again."
    )


def recorded_late(migration: str) -> str:
    """Return the notice that ``migration`` had run earlier and has now been recorded."""
    return (
        f"plain yoyo was killed after it ran {migration} and before it recorded it. The schema is exactly the one that "
        f"{migration} leads to, so the migration was recorded as applied."
    )


def with_advice(error: ApplyError) -> ApplyError:
    """Return ``error``; if the reason is that an object exists already, add advice to the reason."""
    if "already exists" not in error.reason and "duplicate column" not in error.reason:
        return error
    return error.with_changes(
        reason=f"{error.reason} (If somebody created it by hand, remove it, and apply again. If plain `yoyo apply` was "
        f"killed before it recorded {error.migration}, check with `waiaas-migrate drift`, and in the rows, that it has "
        f"run completely; then record it: `waiaas-migrate adopt FILE --at {error.migration}`.)"
    )
