"""``apply --dry-run``: estimate the effects and the cost of a run, and write nothing."""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.runner.mismatch import changes_at_head, find_pending
from waiaas_migrate.runner.options import RunOptions
from waiaas_migrate.runner.preflight import refuse_unrecorded_tables
from waiaas_migrate.runner.proof.schema_proof import proof_of
from waiaas_migrate.runner.run import wants_backup
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_facts
from waiaas_migrate.sqlite.database.connection import open_read_only, plain_errors
from waiaas_migrate.sqlite.database.url import StrPath, database_path, database_text
from waiaas_migrate.sqlite.planning.effects import AnnouncedHazard, Cost
from waiaas_migrate.sqlite.quoting import quote_name

#: How many rows of a table to read to estimate the table's size, if SQLite can't report it.
_SAMPLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The number of rows and bytes of a table; ``is_estimate`` says whether the bytes are estimated from a sample."""

    rows: int
    bytes: int
    is_estimate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEstimate:
    """A table that a migration changes, the cost of the change, and the table's ``size``, None for a new table."""

    table: str
    cost: Cost
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationEstimate:
    """A pending migration, the tables that it changes, and its announced hazards.

    ``tables`` is None if the migration may change any table. ``may_lose`` says whether it could lose data. ``writes``
    says whether it changes rows of tables that it doesn't rebuild.
    """

    id: str
    kind: Literal["sql", "python"]
    tables: tuple[TableEstimate, ...] | None
    hazards: tuple[AnnouncedHazard, ...]
    may_lose: bool
    writes: bool = True

    def bytes_to_write(self, file_size: int) -> int:
        """Return the bytes of disk space that the largest table may need; twice the file if any table may change.

        A rebuild copies the table. The journal or the WAL holds a copy of each page that changes.
        """
        if self.tables is None:
            return 2 * file_size
        copies = {Cost.CONSTANT: 0, Cost.SCAN: int(self.writes), Cost.REBUILD: 2}
        return max((copies[table.cost] * table.size.bytes for table in self.tables if table.size), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The migrations of a run, the size of the database and the free disk space in bytes, and whether a backup is made.

    ``manual_changes`` has the same meaning as in :class:`~waiaas_migrate.runner.apply.ApplyResult`.
    """

    database: str
    migrations: tuple[MigrationEstimate, ...]
    bytes: int
    free: int
    backup: bool
    manual_changes: tuple[str, ...] = ()

    @property
    def bytes_to_write(self) -> int:
        """Return the disk space, in bytes, that the backup and the migrations may need together."""
        largest = max((migration.bytes_to_write(self.bytes) for migration in self.migrations), default=0)
        return (self.bytes if self.backup else 0) + largest

    @property
    def is_short_of_room(self) -> bool:
        """Return whether the run may need more disk space than is free."""
        return bool(self.migrations) and self.bytes_to_write > self.free


def estimate(
    database: StrPath,
    migrations: StrPath | MigrationFolder,
    *,
    options: RunOptions = RunOptions(),
    may_make: bool = True,
) -> Estimate:
    """Estimate a run of ``apply`` on ``database`` with the same arguments.

    Raises:
        DatabaseFileError: the file can't be read, or is missing and ``may_make`` is false.
        MigrationsError: the folder can't be used.
        DatabaseRefused: ``apply`` would refuse the database, too.
    """
    folder = migrations if isinstance(migrations, MigrationFolder) else read_folder(migrations)
    target = database_path(database)
    if target.path is None or (may_make and not os.path.lexists(target.path)):
        with closing(sqlite3.connect(":memory:")) as empty:
            pending = _estimate_migrations(empty, folder, folder.ids)
        free = 0 if target.path is None else _free_bytes(target.path)
        return Estimate(database=target.name, migrations=pending, bytes=0, free=free, backup=False)
    with closing(open_read_only(target)) as connection, plain_errors(target.name, doing="reading it"):
        connection.execute("BEGIN")
        todo = find_pending(connection, folder, verify=options.verify)
        effects = folder.forward(folder.named(todo))
        if todo:
            _refuse(connection, folder, todo, options)
        return Estimate(
            database=target.name,
            migrations=_estimate_migrations(connection, folder, todo),
            bytes=_read_pragma(connection, "page_count") * _read_pragma(connection, "page_size"),
            free=_free_bytes(target.path),
            backup=wants_backup(connection, effects, options.backup),
            manual_changes=() if todo or not options.verify else changes_at_head(connection, folder),
        )


def _refuse(connection: sqlite3.Connection, folder: MigrationFolder, todo: Sequence[str], options: RunOptions) -> None:
    """Raise the error that ``apply`` would raise before it changes anything."""
    refuse_unrecorded_tables(connection, folder)
    facts = read_facts(connection)
    proof = proof_of(connection, folder, folder.without(todo), facts) if options.verify else None
    if proof is not None:
        proof.refuse(folder.forward(folder.named(todo)))


def estimate_all(
    databases: Iterable[StrPath],
    migrations: StrPath,
    *,
    options: RunOptions = RunOptions(),
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    may_make: Collection[StrPath] | None = None,
) -> Iterator[Outcome[Estimate]]:
    """Yield the estimate of a run of ``apply_to_all`` with the same arguments for each of ``databases``.

    Raises:
        MigrationsError: the folder can't be used.
        UsageError: ``databases`` is one name.
    """
    names = None if may_make is None else frozenset(map(database_text, may_make))
    work = functools.partial(_estimate, folder=read_folder(migrations), options=options, may_make=names)
    return each(work, databases, fleet)


def _estimate(
    database: str, *, folder: MigrationFolder, options: RunOptions, may_make: Container[str] | None
) -> Estimate:
    return estimate(database, folder, options=options, may_make=may_make is None or database in may_make)


def _free_bytes(path: Path) -> int:
    """Return the free bytes on the disk that holds ``path``, or that would hold it."""
    folder = next(folder for folder in Path(os.path.realpath(path)).parents if folder.exists())
    return shutil.disk_usage(folder).free


def _read_pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _estimate_migrations(
    connection: sqlite3.Connection, folder: MigrationFolder, todo: Iterable[str]
) -> tuple[MigrationEstimate, ...]:
    """Return an estimate of each migration in ``todo``; measure each table once."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL"
    names = {fold(name): name for (name,) in connection.execute(query)}
    sizes: dict[str, Size] = {}

    def estimate_table(name: str, cost: Cost) -> TableEstimate:
        if fold(name) not in names:
            return TableEstimate(table=name, cost=cost)
        name = names[fold(name)]
        if name not in sizes:
            sizes[name] = _measure(connection, name)
        return TableEstimate(table=name, cost=cost, size=sizes[name])

    files = folder.named(todo)
    return tuple(
        MigrationEstimate(
            id=file.id,
            kind=file.kind,
            tables=None if effects.tables is None else tuple(estimate_table(*table) for table in effects.tables),
            hazards=effects.hazards,
            may_lose=effects.may_lose,
            writes=effects.changes_rows,
        )
        for file, effects in zip(files, folder.forward(files), strict=True)
    )


def _measure(connection: sqlite3.Connection, table: str) -> Size:
    """Return the number of rows of a table, and its bytes including indexes (https://www.sqlite.org/dbstat.html)."""
    try:
        rows = int(connection.execute(f"SELECT count(*) FROM {quote_name(table)}").fetchone()[0])
    except sqlite3.OperationalError:  # the module of a virtual table is missing
        return Size(rows=0, bytes=0, is_estimate=True)
    query = """SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN
        (SELECT name FROM sqlite_master WHERE tbl_name = ? COLLATE NOCASE AND type IN ('table', 'index'))"""
    try:
        return Size(rows=rows, bytes=int(connection.execute(query, (table,)).fetchone()[0] or 0))
    except sqlite3.OperationalError:  # this SQLite was built without dbstat
        return Size(rows=rows, bytes=_estimated_bytes(connection, table, rows), is_estimate=True)


def _estimated_bytes(connection: sqlite3.Connection, table: str, rows: int) -> int:
    """Return the bytes of a table's rows, estimated from the first rows."""
    columns = [quote_name(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
    # A header, a key, and a type for each value (https://www.sqlite.org/fileformat.html#record_format).
    lengths = " + ".join(f"1 + coalesce(length(CAST({column} AS BLOB)), 0)" for column in columns) or "0"
    sample = f"SELECT avg(10 + {lengths}) FROM (SELECT * FROM {quote_name(table)} LIMIT {_SAMPLE})"
    return int(rows * (connection.execute(sample).fetchone()[0] or 0))
