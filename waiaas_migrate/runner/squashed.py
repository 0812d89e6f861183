"""Update the records of a database that ran migrations that were later squashed into one."""

from __future__ import annotations

import sqlite3

from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.yoyo.applied import Records, cached_hash, read_applied
from waiaas_migrate.runner.yoyo.identity import delete_identity, read_identities, write_identity
from waiaas_migrate.runner.yoyo.records import write_record


def find_squashed_records(connection: sqlite3.Connection, folder: MigrationFolder) -> tuple[str, ...]:
    """Return the recorded migrations that a squash removed from the folder, in the order they were applied."""
    if not folder.squashed_hashes:
        return ()
    return tuple(row.id for row in read_applied(connection) or () if row.hash in folder.squashed_hashes)


def missing_for_squash(folder: MigrationFolder, records: Records) -> tuple[str, ...]:
    """Return the squashed migrations that a database must still run; none if it ran none or all of them."""
    if records.applied.isdisjoint(folder.squashed_hashes) and not _ran_last_squashed(folder, records):
        return ()
    needed: list[str] = []
    for one in folder.replaces:
        # An id that appears a second time is an earlier squash of the migrations before it.
        needed = [*([] if one.id in needed else needed), one.id]
    return tuple(name for name in needed if cached_hash(name) not in records.applied)


def _ran_last_squashed(folder: MigrationFolder, records: Records) -> bool:
    """Return whether the database ran the last squashed migration, rather than the squash of the same id."""
    if not folder.replaces:
        return False
    key = cached_hash(folder.ids[0])
    return records.texts.get(key, folder.text_hashes[key]) != folder.text_hashes[key]


def update_squashed(connection: sqlite3.Connection, folder: MigrationFolder) -> None:
    """Replace the records of squashed migrations, all of which have run, by a record of the squash.

    This requires a write transaction and current versions of yoyo's tables. Do nothing if no records must be replaced.
    """
    to_replace = find_squashed_records(connection, folder)
    if not to_replace:
        return
    squash, identities = folder.migrations[0], read_identities(connection)
    squashed = {cached_hash(one.id) for one in folder.replaces}
    was_adopted = any(row.was_adopted for row in identities.values() if row.hash in squashed)
    for name in to_replace:
        write_record(connection, name, "unmark")
        delete_identity(connection, name)
    write_identity(connection, squash, folder, was_adopted=was_adopted)
    for migration in folder.migrations[1:]:  # their hashes in the manifest changed with the squash
        if (row := identities.get(cached_hash(migration.id))) is not None and row.text_hash == migration.text_hash:
            write_identity(connection, migration, folder, was_adopted=row.was_adopted)
