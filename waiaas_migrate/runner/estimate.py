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

from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.runner.books.applied import pending
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.many.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.many.patterns import refuse_one_name
from waiaas_migrate.runner.outline import Outline, StepOutline, outline, tables_named
from waiaas_migrate.runner.run import When, wants_backup
from waiaas_migrate.runner.upgrade import refuse_unrecorded_tables
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.connection import open_read_only, plain_errors
from waiaas_migrate.sqlite.cost import Cost
from waiaas_migrate.sqlite.place import database_path
from waiaas_migrate.sqlite.quoting import quote_name

_SAMPLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much a table holds. ``is_estimate``: the bytes were reckoned from a sample, for want of ``dbstat``."""

    rows: int
    bytes: int
    is_estimate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEstimate:
    """A step in words, its cost (None where nobody wrote it), and the table that it goes over, if that is there yet."""

    words: str
    cost: Cost | None
    table: str | None = None
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationEstimate:
    """A pending migration: its steps, none where it is written in Python, and whether it could lose something."""

    id: str
    kind: Literal["sql", "python"]
    steps: tuple[StepEstimate, ...]
    may_lose: bool


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
        """What the backup and the steps that are not constant may need on the disk, at most at once."""
        sizes = [
            step.size.bytes
            for migration in self.migrations
            for step in migration.steps
            if step.size is not None and step.cost in (Cost.REBUILD, None)
        ]
        # A rebuild holds a table twice, and the journal or WAL holds each page that changes once more.
        return (self.bytes if self.backup else 0) + 2 * max(sizes, default=0)

    @property
    def is_short_of_room(self) -> bool:
        """Whether the run may need more than is free on the disk."""
        return bool(self.migrations) and self.bytes_to_write > self.free


def estimate(
    database: str, migrations: Path | MigrationFolder, *, backup: When = "auto", may_make: bool = True
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
        if todo:
            refuse_unrecorded_tables(connection)
        tables = _Tables(connection)
        return Estimate(
            database=database,
            migrations=tuple(_migration(migration, tables) for migration in todo),
            bytes=_file_size(connection),
            free=_free(place.path),
            backup=wants_backup(connection, todo, backup),
        )


def estimate_all(
    databases: Iterable[str],
    migrations: Path,
    *,
    backup: When = "auto",
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    may_make: Container[str] | None = None,
) -> Iterator[Outcome[Estimate]]:
    """What ``apply`` would do to each of ``databases``, with ``may_make`` as it takes it; the folder is read once.

    Raises:
        MigrationsError: the folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    refuse_one_name(databases)
    folder = read_folder(migrations)
    return each(functools.partial(_estimate, folder=folder, backup=backup, may_make=may_make), databases, fleet)


def _estimate(database: str, *, folder: MigrationFolder, backup: When, may_make: Container[str] | None) -> Estimate:
    return estimate(database, folder, backup=backup, may_make=may_make is None or database in may_make)


def _of_a_new_one(database: str, folder: MigrationFolder, path: Path | None) -> Estimate:
    found = tuple(_migration(migration, {}) for migration in folder.migrations)
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


def _migration(migration: MigrationFile, tables: Mapping[str, tuple[str, Size]]) -> MigrationEstimate:
    found: Outline = outline(migration)
    steps = tuple(_step(step, tables) for step in found.steps)
    return MigrationEstimate(id=found.id, kind=migration.kind, steps=steps, may_lose=found.may_lose)


def _step(step: StepOutline, tables: Mapping[str, tuple[str, Size]]) -> StepEstimate:
    names = [fold(name) for statement in step.statements for name in tables_named(statement)]
    name = next((name for name in names if name in tables), None)
    if name is None:
        return StepEstimate(words=step.words, cost=step.cost)
    table, size = tables[name]
    return StepEstimate(words=step.words, cost=step.cost, table=table, size=size)
