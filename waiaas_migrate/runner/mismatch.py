"""Refuse a database that ran other migrations than those of a folder, or whose records are wrong.

The runner records the hash of each migration's text, and compares these hashes with the folder. Plain yoyo records no
hashes. So if plain yoyo recorded the last migration, the tables and columns that the migrations make must exist. Other
manual changes are reported, but an application can still open its database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from waiaas_migrate.errors import OtherMigrationsError
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.proof.differences import Difference, listed
from waiaas_migrate.runner.proof.schema_proof import replayed_differences
from waiaas_migrate.runner.squashed import missing_for_squash
from waiaas_migrate.runner.yoyo.applied import Records, cached_hash, read_applied, read_pending, read_records
from waiaas_migrate.sqlite.database.catalog import read_facts
from waiaas_migrate.sqlite.database.connection import database_name

_REDO_ADVICE = "If only databases of your own ran {}, run `waiaas-migrate apply --redo` on them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Migrations that differ between the database and the folder; ``what`` and ``fix`` are sentences for the user."""

    migrations: tuple[str, ...]
    what: str
    fix: str


def find_pending(connection: sqlite3.Connection, folder: MigrationFolder, *, verify: bool = True) -> tuple[str, ...]:
    """Return the ids of the pending migrations; verify that the database ran the other ones. Write nothing.

    Args:
        connection: the database; it must return plain rows.
        folder: the migrations.
        verify: whether to check that the migrations' tables and columns exist if plain yoyo recorded the last one.

    Raises:
        OtherMigrationsError: the database ran other migrations, or has records of migrations that never ran.
        UnknownMigrationsError: the database is ahead of the folder.
        DatabaseRefused: another object has the name of a table that records migrations.
    """
    pending, records = _read_pending(connection, folder)
    if verify and _only_yoyo_recorded_last(connection, folder, pending, records):
        with _read_transaction(connection):
            pending, _ = _read_pending(connection, folder)
            changes = manual_changes(connection, folder, pending)
            _refuse(connection, find_never_ran(connection, folder, pending, changes))
    return pending


def _read_pending(connection: sqlite3.Connection, folder: MigrationFolder) -> tuple[tuple[str, ...], Records]:
    """Return the ids of the pending migrations, and the records; refuse a database that ran other texts."""
    records = read_records(connection)
    refuse_changed(connection, folder, records)
    return read_pending(connection, folder.ids, folder.squashed_hashes, applied=records.applied), records


def refuse_changed(connection: sqlite3.Connection, folder: MigrationFolder, records: Records) -> None:
    """Refuse a database if its ``records`` show that it ran migrations with the same ids and other texts.

    Raises:
        OtherMigrationsError: names the migrations.
    """
    _refuse(connection, find_changed(connection, folder, records))


def find_changed(connection: sqlite3.Connection, folder: MigrationFolder, records: Records) -> Mismatch | None:
    """Return the applied migrations whose text has changed; or the squashed ones that ran, if not all of them ran."""
    if missing := missing_for_squash(folder, records):
        return _partly_squashed(folder, records, missing)
    ran, current = records.texts, folder.text_hashes
    if ran.items() <= current.items():
        return None
    known = current.keys() | folder.squashed_hashes
    differing = {key for key, text in ran.items() if key in known and not folder.has_text_hash(key, text)}
    if squashed := tuple(row.id for row in read_applied(connection) or () if row.hash in differing - current.keys()):
        difference = f"it ran another {squashed[0]} than the one that was squashed into {folder.ids[0]}"
        what = f"belongs to another migrations folder: {difference}."
        return Mismatch(migrations=squashed, what=what, fix="Use the folder that made the database.")
    names = tuple(name for name in folder.ids if cached_hash(name) in differing)
    if not names:
        return None
    if names[0] == folder.ids[0]:
        what = f"belongs to another migrations folder: it ran another {names[0]} than the one in {folder.path}."
        fix = f"Use the folder that made the database, or restore {names[0]} from git. {_REDO_ADVICE.format('it')}"
        return Mismatch(migrations=names, what=what, fix=fix)
    what = f"ran {', '.join(names)} before the file{'' if len(names) == 1 else 's'} changed."
    pronoun = "it" if len(names) == 1 else "them"
    return Mismatch(migrations=names, what=what, fix=f"Restore {pronoun} from git. {_REDO_ADVICE.format(pronoun)}")


def _partly_squashed(folder: MigrationFolder, records: Records, missing: tuple[str, ...]) -> Mismatch:
    last = folder.replaces[-1].id
    ran = tuple(dict.fromkeys(one.id for one in folder.replaces if cached_hash(one.id) in records.applied))
    what = f"ran {ran[-1]}, but not {missing[0]}. Both were squashed into {last}."
    fix = f"First apply the migrations up to {last} with the version of the application from before the squash."
    return Mismatch(migrations=ran, what=what, fix=fix)


def manual_changes(
    connection: sqlite3.Connection, folder: MigrationFolder, pending: Sequence[str]
) -> Sequence[Difference]:
    """Return the differences between the schema and the one that the migrations make, without the ``pending`` ones.

    Return nothing if the migrations can't be replayed, for example if they change tables that they don't create.
    """
    return replayed_differences(connection, folder, folder.without(pending), read_facts(connection)) or ()


def changes_at_head(connection: sqlite3.Connection, folder: MigrationFolder) -> tuple[str, ...]:
    """Return descriptions of the manual changes to a database without pending migrations."""
    return tuple(map(str, manual_changes(connection, folder, ()))) if folder.ids else ()


def find_never_ran(
    connection: sqlite3.Connection, folder: MigrationFolder, pending: Sequence[str], changes: Sequence[Difference]
) -> Mismatch | None:
    """Return the migrations that only yoyo recorded, if one of their tables or columns is missing.

    ``pending`` are the ids of the pending migrations, and ``changes`` are the manual changes.
    """
    missing = [change.missing for change in changes if change.missing is not None]
    if not missing or not _only_yoyo_recorded_last(connection, folder, pending, records := read_records(connection)):
        return None
    return Mismatch(
        migrations=tuple(one.id for one in folder.without(pending) if cached_hash(one.id) not in records.texts),
        what=f"records migrations as applied, but what they create is missing: {listed(missing)}.",
        fix="Somebody marked these migrations as applied without running them, or dropped the objects by hand. Restore "
        "a backup. If the file has no data, delete it and apply again. `waiaas-migrate drift` lists every difference.",
    )


def _refuse(connection: sqlite3.Connection, found: Mismatch | None) -> None:
    if found is not None:
        name = database_name(connection)
        raise OtherMigrationsError(database=name, migrations=found.migrations, what=found.what, fix=found.fix)


def _only_yoyo_recorded_last(
    connection: sqlite3.Connection, folder: MigrationFolder, pending: Sequence[str], records: Records
) -> bool:
    """Return whether only yoyo recorded the last applied migration.

    If the runner recorded the last migration, it also checked the earlier ones at that time.
    """
    texts, pending_ids = records.texts, set(pending)
    if all(name in pending_ids or cached_hash(name) in texts for name in folder.ids):
        return False
    known = [row.hash for row in read_applied(connection) or () if row.hash in folder.text_hashes]
    return known[-1] not in texts


@contextmanager
def _read_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Read in one transaction, since another process may apply migrations between two reads."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
