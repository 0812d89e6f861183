"""What plain yoyo leaves when killed between its two transactions: a migration that was run, and not recorded."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from waiaas_migrate.errors import ApplyError, MigrateError
from waiaas_migrate.files.migration_dir.facts import mark
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.proof.schema import Replay
from waiaas_migrate.sqlite.catalog import CatalogFacts, fingerprint, read_catalog

#: What SQLite says of a table, index, view, trigger or column that is to be made and is there.
_IS_THERE = re.compile(r"already exists|duplicate column|already another table or index")


def may_have_run(
    facts: CatalogFacts, folder: MigrationFolder, applied: Sequence[MigrationFile], migration: MigrationFile
) -> bool:
    """Whether the catalog looks as if ``migration``, which is not recorded, was run; cheap, and no proof.

    If nobody recorded what it makes, it may have been run wherever there is anything. Python migrations would have to
    run again to find out, and are not.
    """
    made = folder.facts(migration).catalog
    if made is None:
        return bool(facts.names) and all(one.kind == "sql" for one in (*applied, migration))
    before = folder.facts(applied[-1]).catalog if applied else None
    return made == mark(facts.fingerprint) != before


def has_run(connection: sqlite3.Connection, applied: Sequence[MigrationFile], migration: MigrationFile) -> bool:
    """Whether the catalog is exactly what ``migration`` makes of what was ``applied``, and was another before.

    yoyo runs a migration in one transaction: where its tables are, its rows are. One that runs outside transactions
    may have stopped half-way, and one that leaves the catalog as it was leaves no trace.
    """
    if not migration.transactional:
        return False
    found = fingerprint(read_catalog(connection))
    try:
        with Replay((*applied, migration)) as replay:
            before = replay.run(applied).fingerprint
            return before != found == replay.run((*applied, migration)).fingerprint
    except MigrateError:
        return False


def hint(migration: MigrationFile, error: ApplyError) -> ApplyError:
    """``error``, with what to do where plain yoyo may have run ``migration`` without recording it."""
    if not _IS_THERE.search(error.reason):
        return error
    return ApplyError(
        database=error.database,
        migration=error.migration,
        reason=f"{error.reason} (It looks as if it had been run without being recorded, as happens where plain "
        f"`yoyo apply` is interrupted, but the schema is not exactly the one that it leads to. Look at it with "
        f"`waiaas-migrate drift`; where nothing of the migration is missing, note it with `yoyo mark -r "
        f"{migration.id}`.)",
        statement=error.statement,
        rolled_back=error.rolled_back,
    )
