"""Update the records of a database whose migrations have been squashed into one since it ran them."""

from __future__ import annotations

import sqlite3

from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.yoyo.applied import Records, cached_hash, read_applied
from waiaas_migrate.runner.yoyo.identity import (
    delete_identity,
    identity_of,
    read_identities,
    write_identity,
)
from waiaas_migrate.runner.yoyo.records import write_record


def squashed_away(connection: sqlite3.Connection, folder: MigrationFolder) -> tuple[str, ...]:
    """Return the recorded migrations that a squash removed from the folder, in the order they were applied."""
    if not folder.squashed_hashes:
        return ()
    return tuple(row.id for row in read_applied(connection) or () if row.hash in folder.squashed_hashes)


def missing_for_squash(folder: MigrationFolder, records: Records) -> tuple[str, ...]:
    """Return the squashed migrations that a database has not run; none if it ran none of them."""
    if records.applied.isdisjoint(folder.squashed_hashes) and not _ran_last_of_old(folder, records):
        return ()
    needed: list[str] = []
    for one in folder.replaces:
        # An id that appears a second time is a squash of the migrations before it.
        needed = [*([] if one.id in needed else needed), one.id]
    return tuple(name for name in needed if cached_hash(name) not in records.applied)


def _ran_last_of_old(folder: MigrationFolder, records: Records) -> bool:
    """Return whether the database ran the last squashed migration, not the squash, which has the same id."""
    if not folder.replaces:
        return False
    key = cached_hash(folder.ids[0])
    return records.texts.get(key, folder.texts[key]) != folder.texts[key]


def update_squashed(connection: sqlite3.Connection, folder: MigrationFolder) -> None:
    """Replace the records of squashed migrations, all of which have run, by a record of the squash.

    Requires an open write transaction and up-to-date yoyo tables. Does nothing if the records are up to date.
    """
    gone = squashed_away(connection, folder)
    if not gone:
        return
    first, old = folder.migrations[0], read_identities(connection)
    replaced = {cached_hash(one.id) for one in folder.replaces}
    was_adopted = any(row.was_adopted for row in old.values() if row.hash in replaced)
    for name in gone:
        write_record(connection, name, "unmark")
        delete_identity(connection, name)
    write_identity(connection, identity_of(first, folder, was_adopted=was_adopted))
    for migration in folder.migrations[1:]:  # the manifest's hash covers the migrations before it
        if (row := old.get(cached_hash(migration.id))) is not None and row.content_hash == migration.text_hash:
            write_identity(connection, identity_of(migration, folder, was_adopted=row.was_adopted))
