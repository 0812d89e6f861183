"""What a run would do to this very database, and what that costs: ``apply --dry-run``. Nothing is written."""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.fleet.patterns import refuse_single_name
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.options import BackupWhen
from waiaas_migrate.runner.preflight import refuse_unrecorded_tables
from waiaas_migrate.runner.proof.schema_proof import proof_of
from waiaas_migrate.runner.run import wants_backup
from waiaas_migrate.runner.yoyo.applied import pending
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_facts
from waiaas_migrate.sqlite.database.connection import open_read_only, plain_errors
from waiaas_migrate.sqlite.database.url import database_path
from waiaas_migrate.sqlite.planning.effects import AnnouncedHazard, Cost, Effects
from waiaas_migrate.sqlite.quoting import quote_name

_SAMPLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much a table holds. ``is_estimate``: the bytes were reckoned from a sample, for want of ``dbstat``."""

    rows: int
    bytes: int
    is_estimate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEstimate:
    """A table that a migration touches, the cost, and how much it holds; None if it isn't there yet."""

    table: str
    cost: Cost
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationEstimate:
    """A pending migration, the tables that it touches, its announced hazards, and whether it could lose something.

    ``tables`` is None if it may touch any table in any way. ``writes``: it changes rows of tables that it doesn't
    rebuild, too.
    """

    id: str
    kind: Literal["sql", "python"]
    tables: tuple[TableEstimate, ...] | None
    hazards: tuple[AnnouncedHazard, ...]
    may_lose: bool
    writes: bool = True

    def bytes_to_write(self, file_size: int) -> int:
        """What its largest table may need on the disk; a rebuild holds a table twice for some time.

        The journal or the WAL holds each page that changes once more.
        """
        if self.tables is None:
            return 2 * file_size
        times = {Cost.CONSTANT: 0, Cost.SCAN: int(self.writes), Cost.REBUILD: 2}
        return max((times[table.cost] * table.size.bytes for table in self.tables if table.size), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run would do: its migrations, the size of the file, the room on its disk, and whether it backs up."""

    database: str
    migrations: tuple[MigrationEstimate, ...]
    bytes: int
    free: int
    backup: bool

    @property
    def bytes_to_write(self) -> int:
        """What the backup and the migrations may need on the disk, at most at once."""
        largest = max((migration.bytes_to_write(self.bytes) for migration in self.migrations), default=0)
        return (self.bytes if self.backup else 0) + largest

    @property
    def is_short_of_room(self) -> bool:
        """Whether the run may need more than is free on the disk."""
        return bool(self.migrations) and self.bytes_to_write > self.free


def estimate(
    database: str,
    migrations: Path | MigrationFolder,
    *,
    backup: BackupWhen = "auto",
    verify: bool = True,
    may_make: bool = True,
) -> Estimate:
    """What ``apply`` would do to ``database``.

    Raises:
        DatabaseFileError: the file cannot be read; one that is not there is a new database, where ``may_make``.
        MigrationsError: the folder cannot be used.
        DatabaseRefused: ``apply`` would refuse the database too.
    """
    folder = migrations if isinstance(migrations, MigrationFolder) else read_folder(migrations)
    place = database_path(database)
    if place.path is None or (may_make and not os.path.lexists(place.path)):
        return _of_a_new_one(database, folder, place.path)
    with closing(open_read_only(place)) as connection, plain_errors(place.name, doing="reading it"):
        connection.execute("BEGIN")
        names = set(pending(connection, folder.ids))
        todo = [migration for migration in folder.migrations if migration.id in names]
        effects = folder.forward(todo)
        if todo:
            refuse_unrecorded_tables(connection, folder)
            applied = [migration for migration in folder.migrations if migration.id not in names]
            proof = proof_of(connection, folder, applied, read_facts(connection)) if verify else None
            if proof is not None:
                proof.refuse(effects)
        tables = _Tables(connection)
        return Estimate(
            database=database,
            migrations=tuple(
                _migration(migration, found, tables) for migration, found in zip(todo, effects, strict=True)
            ),
            bytes=_file_size(connection),
            free=_free(place.path),
            backup=wants_backup(connection, effects, backup),
        )


def estimate_all(
    databases: Iterable[str],
    migrations: Path,
    *,
    backup: BackupWhen = "auto",
    verify: bool = True,
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    may_make: Container[str] | None = None,
) -> Iterator[Outcome[Estimate]]:
    """What ``apply`` would do to each of ``databases``, with ``may_make`` as it takes it; the folder is read once.

    Raises:
        MigrationsError: the folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    refuse_single_name(databases)
    folder = read_folder(migrations)
    of_one = functools.partial(_estimate, folder=folder, backup=backup, verify=verify, may_make=may_make)
    return each(of_one, databases, fleet)


def _estimate(
    database: str, *, folder: MigrationFolder, backup: BackupWhen, verify: bool, may_make: Container[str] | None
) -> Estimate:
    makes = may_make is None or database in may_make
    return estimate(database, folder, backup=backup, verify=verify, may_make=makes)


def _of_a_new_one(database: str, folder: MigrationFolder, path: Path | None) -> Estimate:
    effects = folder.forward(folder.migrations)
    found = tuple(_migration(migration, one, {}) for migration, one in zip(folder.migrations, effects, strict=True))
    free = 0 if path is None else _free(path)
    return Estimate(database=database, migrations=found, bytes=0, free=free, backup=False)


def _free(path: Path) -> int:
    folder = Path(os.path.realpath(path)).parent
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _file_size(connection: sqlite3.Connection) -> int:
    pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
    return pages * int(connection.execute("PRAGMA page_size").fetchone()[0])


class _Tables(dict[str, tuple[str, Size]]):
    """The tables that are there, by their folded names; each is measured when it is first asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
        self._names = {fold(name): name for (name,) in rows}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __missing__(self, name: str) -> tuple[str, Size]:
        spelt = self._names[name]
        self[name] = found = (spelt, _measure(self._connection, spelt))
        return found


def _measure(connection: sqlite3.Connection, table: str) -> Size:
    """The rows of a table, and its bytes with its indexes (https://www.sqlite.org/dbstat.html)."""
    try:
        rows = int(connection.execute(f"SELECT count(*) FROM {quote_name(table)}").fetchone()[0])
    except sqlite3.OperationalError:  # a virtual table whose module is not there
        return Size(rows=0, bytes=0, is_estimate=True)
    query = "SELECT name FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type IN ('table', 'index')"
    names = [name for (name,) in connection.execute(query, (table,))]
    try:
        query = "SELECT sum(pgsize) FROM dbstat WHERE name = ? AND aggregate = TRUE"
        used = [connection.execute(query, (name,)).fetchone()[0] for name in names]
        return Size(rows=rows, bytes=sum(int(size or 0) for size in used))
    except sqlite3.OperationalError:  # this SQLite was built without it
        return Size(rows=rows, bytes=_reckoned(connection, table, rows), is_estimate=True)


def _reckoned(connection: sqlite3.Connection, table: str, rows: int) -> int:
    """The bytes of a table's rows, from its first ones."""
    columns = [quote_name(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    # A header, a key, and for each value its type (https://www.sqlite.org/fileformat.html#record_format).
    lengths = " + ".join(f"1 + coalesce(length(CAST({column} AS BLOB)), 0)" for column in columns) or "0"
    sample = f"SELECT avg(10 + {lengths}) FROM (SELECT * FROM {quote_name(table)} LIMIT {_SAMPLE})"
    return int(rows * (connection.execute(sample).fetchone()[0] or 0))


def _migration(migration: MigrationFile, effects: Effects, tables: Mapping[str, tuple[str, Size]]) -> MigrationEstimate:
    known = None if effects.tables is None else tuple(_table(name, cost, tables) for name, cost in effects.tables)
    return MigrationEstimate(
        id=migration.id,
        kind=migration.kind,
        tables=known,
        hazards=effects.hazards,
        may_lose=effects.may_lose,
        writes=effects.changes_rows,
    )


def _table(name: str, cost: Cost, tables: Mapping[str, tuple[str, Size]]) -> TableEstimate:
    if fold(name) not in tables:
        return TableEstimate(table=name, cost=cost)
    spelled, size = tables[fold(name)]
    return TableEstimate(table=spelled, cost=cost, size=size)
