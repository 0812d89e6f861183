"""Record the text of each applied migration, to recognize a later change of the text.

yoyo identifies a migration only by its name, so the runner's table stores a hash of the text that ran. A row is valid
only while yoyo's table has a record of the migration with the same ``applied_at_utc``, because plain yoyo may roll the
migration back and apply another text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.yoyo.applied import TEXT_TABLE, VALID_TEXTS, cached_hash, has_object, rows_of_texts
from waiaas_migrate.runner.yoyo.records import Operation, write_record

#: The database keeps the rollbacks of this many migrations, the last ones of the folder.
_KEPT_ROLLBACKS = 10

_CREATE = f"""CREATE TABLE main.{TEXT_TABLE} (
  migration_hash TEXT NOT NULL PRIMARY KEY,
  applied_at_utc TEXT NOT NULL,
  content_hash TEXT NOT NULL,
  manifest_hash TEXT,
  was_adopted INTEGER NOT NULL,
  rollback TEXT
)"""
_WRITE = f"""INSERT OR REPLACE INTO main.{TEXT_TABLE}
SELECT migration_hash, applied_at_utc, :text_hash, :manifest_hash, :was_adopted, :rollback
FROM main._yoyo_migration WHERE migration_hash = :hash"""
_UPDATE_HASH = f"UPDATE main.{TEXT_TABLE} SET manifest_hash = ? WHERE migration_hash = ? AND content_hash = ?"
_DROP_ROLLBACKS = f"""UPDATE main.{TEXT_TABLE} SET rollback = NULL
WHERE rollback NOT NULL AND migration_hash NOT IN ({", ".join("?" * _KEPT_ROLLBACKS)})"""
_READ = f"SELECT i.migration_hash, i.content_hash, i.was_adopted, i.rollback {VALID_TEXTS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The record of the text that was applied under a migration's name.

    Args:
        hash: yoyo's hash of the migration's name.
        text_hash: a hash of the migration's text, without its rollback.
        was_adopted: whether ``adopt`` or plain yoyo marked the migration as applied without running it.
        rollback: the text of the rollback file; None if the migration has none, or isn't one of the last ten.
    """

    hash: str
    text_hash: str
    was_adopted: bool = False
    rollback: str | None = None


def record(
    connection: sqlite3.Connection,
    migration: MigrationFile,
    folder: MigrationFolder,
    operation: Operation,
    *,
    was_adopted: bool = False,
) -> None:
    """Record an operation on a migration in yoyo's tables and in the runner's."""
    write_record(connection, migration.id, operation)
    if operation in ("apply", "mark"):
        write_identity(connection, migration, folder, was_adopted=was_adopted)
    else:
        delete_identity(connection, migration.id)


def write_identity(
    connection: sqlite3.Connection, migration: MigrationFile, folder: MigrationFolder, *, was_adopted: bool = False
) -> None:
    """Write the runner's row for a migration that yoyo's table already records."""
    keeps_rollback = migration.id in folder.ids[-_KEPT_ROLLBACKS:]
    row = {
        "hash": cached_hash(migration.id),
        "text_hash": migration.text_hash,
        "manifest_hash": folder.manifest_hash(migration),
        "was_adopted": was_adopted,
        "rollback": migration.rollback if keeps_rollback else None,
    }
    try:
        connection.execute(_WRITE, row)
    except sqlite3.OperationalError:
        if has_object(connection, TEXT_TABLE):
            raise
        connection.execute(_CREATE)
        connection.execute(_WRITE, row)


def update_old_rows(connection: sqlite3.Connection, folder: MigrationFolder, batch: Sequence[MigrationFile]) -> None:
    """Delete old rollbacks, and update the manifest's hash of the last migration.

    The recorded hash is outdated if a merge has put other migrations before the last one. If the hash is current,
    opening the database doesn't read the folder. ``batch`` are the migrations that this run has just recorded.
    """
    last = folder.migrations[-1]
    if last not in batch:
        connection.execute(_UPDATE_HASH, (folder.manifest_hash(last), cached_hash(last.id), last.text_hash))
    if len(folder.ids) > _KEPT_ROLLBACKS:
        connection.execute(_DROP_ROLLBACKS, tuple(map(cached_hash, folder.ids[-_KEPT_ROLLBACKS:])))


def delete_identity(connection: sqlite3.Connection, name: str) -> None:
    """Delete the row of the migration ``name`` if it exists."""
    if has_object(connection, TEXT_TABLE):
        connection.execute(f"DELETE FROM main.{TEXT_TABLE} WHERE migration_hash = ?", (cached_hash(name),))


def read_identities(connection: sqlite3.Connection) -> dict[str, Identity]:
    """Return the valid rows of the runner's table, by yoyo's hash.

    Raises:
        DatabaseRefused: another object has the name of the runner's table.
    """
    return {
        key: Identity(hash=key, text_hash=text, was_adopted=bool(adopted), rollback=rollback)
        for key, text, adopted, rollback in rows_of_texts(connection, _READ)
    }
