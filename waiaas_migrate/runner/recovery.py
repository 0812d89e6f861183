"""What plain yoyo leaves when killed between its two transactions: a migration that was run, and not recorded."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterable, Sequence

from waiaas_migrate.errors import ApplyError, MigrateError
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.proof.schema import Replay
from waiaas_migrate.sqlite.catalog import CatalogFacts, read_facts

_MAKES = re.compile(
    r"""^\s* CREATE \s+ (?: UNIQUE \s+ | VIRTUAL \s+ )? (?: TABLE | INDEX | VIEW | TRIGGER ) \s+
    (?: IF \s+ NOT \s+ EXISTS \s+ )? (?: "(?P<quoted> (?: [^"] | "" )+ )" | (?P<plain> \w+ ) )""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


def may_have_run(facts: CatalogFacts, folder: MigrationFolder, migration: MigrationFile) -> bool:
    """Whether the catalog looks as if ``migration``, which is not recorded, was run; cheap, and no proof."""
    if not facts.names:
        return False
    recorded = None if folder.manifest is None else folder.manifest.fingerprint
    if recorded is not None and folder.others.is_recorded(facts, recorded):
        return True
    return _all_there(facts, migration)


def has_run(
    connection: sqlite3.Connection, folder: MigrationFolder, applied: Sequence[MigrationFile], migration: MigrationFile
) -> bool:
    """Whether the catalog is exactly what ``migration`` makes of what was ``applied``, and was another before.

    yoyo runs a migration in one transaction: where its tables are, its rows are. One that runs outside transactions
    may have stopped half-way, and one that leaves the catalog as it was leaves no trace.
    """
    if not migration.transactional:
        return False
    found = read_facts(connection)
    try:
        with Replay((*applied, migration)) as replay:
            before = read_facts(replay.run(applied).connection)
            after = read_facts(replay.run((*applied, migration)).connection)
            others = folder.others.except_for(before.names | after.names)
            return before.fingerprint != after.fingerprint and others.is_recorded(found, after.fingerprint)
    except MigrateError:
        return False


def hint(connection: sqlite3.Connection, migration: MigrationFile, error: ApplyError) -> ApplyError:
    """``error``, with what to do where plain yoyo may have run ``migration`` without recording it."""
    if not _all_there(read_facts(connection), migration) and "duplicate column" not in error.reason:
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


def names_made(migrations: Iterable[MigrationFile]) -> frozenset[str]:
    """Return the folded names of what SQL migrations create, as far as their text tells."""
    return frozenset().union(*(_made(file.sql) for file in migrations if file.kind == "sql"))


def _all_there(facts: CatalogFacts, migration: MigrationFile) -> bool:
    """Whether the migration makes anything, and all that it makes is there."""
    made = _made(migration.sql) if migration.kind == "sql" else frozenset()
    return bool(made) and made <= facts.names


@functools.lru_cache(maxsize=4096)
def _made(sql: str) -> frozenset[str]:
    return frozenset(_name(found) for found in _MAKES.finditer(sql))


def _name(found: re.Match[str]) -> str:
    return (found["plain"] or found["quoted"].replace('""', '"')).lower()
