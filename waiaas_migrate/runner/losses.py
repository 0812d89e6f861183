"""List the data that a rollback would delete, by running the rollback in memory on a copy of the schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.errors import ApplyError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.followed_tables import FollowedTable, TableFollower
from waiaas_migrate.runner.steps import StepRunner
from waiaas_migrate.runner.watching.interruption import was_interrupted
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.memory import schema_copy
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.virtual_tables import holds_rows, known_shadow_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Data that a rollback deletes.

    Args:
        kind: a ``table``; a ``column`` or ``rows`` of a table that isn't dropped; or ``unknown``.
        name: the table, ``table.column``, or the migration whose rollback can't be tried in memory.
        count: the number of rows, or of values other than NULL; for ``rows``, an upper limit. None if unknown.
        reason: why the loss is unknown.
    """

    kind: Literal["table", "column", "rows", "unknown"]
    name: str
    count: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        number = "an unknown number of" if self.count is None else f"{self.count:,}"
        plural = "" if self.count == 1 else "s"
        match self.kind:
            case "table":
                return f"table {self.name} ({number} row{plural})"
            case "column":
                return f"column {self.name} ({number} value{plural})"
            case "rows":
                return f"rows of {self.name} (up to {number})"
            case "unknown":
                return f"unknown data ({self.name}: {self.reason})"


def losses_of(connection: sqlite3.Connection, todo: Sequence[MigrationFile]) -> tuple[Loss, ...]:
    """Return the data that rolling back ``todo``, in this order, would delete; write nothing.

    Leave out tables without rows, and columns without values. The rollbacks run in memory, on a copy of the schema.
    The losses are unknown for Python migrations, which don't run, and from the first rollback that fails.
    """
    unknown: list[Loss] = []
    rows = read_catalog(connection)
    with closing(schema_copy(rows, skip_refused=True)) as scratch:
        scratch.execute("BEGIN")
        follower = TableFollower(scratch)
        runner = StepRunner(scratch, todo, execute=follower.execute)
        for number, migration in enumerate(todo):
            if migration.kind == "python":
                unknown.append(Loss(kind="unknown", name=migration.id, reason="a Python migration"))
                continue
            try:
                runner.run(migration, "rollback")
            except ApplyError as error:
                if was_interrupted(error):
                    raise KeyboardInterrupt from error
                reason = f"it fails in memory: {error.reason.rstrip('.')}"
                unknown += [Loss(kind="unknown", name=one.id, reason=reason) for one in todo[number:]]
                break
    without_data = {fold(row.name) for row in rows if row.is_virtual and not holds_rows(row.sql)}
    without_data |= known_shadow_names(rows)
    tables = [table for table in follower.tables if fold(table.name) not in without_data]
    found = [loss for table in tables for loss in _losses_of_table(connection, table)]
    return (*(loss for loss in found if loss.count != 0), *unknown)


def _losses_of_table(connection: sqlite3.Connection, table: FollowedTable) -> Iterator[Loss]:
    if table.root is None:
        yield Loss(kind="table", name=table.name, count=_count(connection, table.name, "*"))
        return
    for column, current_name in table.columns.items():
        if current_name is None:
            count = _count(connection, table.name, quote_name(column))
            yield Loss(kind="column", name=f"{table.name}.{column}", count=count)
    if table.deletes_rows:
        yield Loss(kind="rows", name=table.name, count=_count(connection, table.name, "*"))


def _count(connection: sqlite3.Connection, table: str, what: str) -> int | None:
    """Count the rows of ``table`` (``*``), or the values of a column other than NULL; return None if that fails."""
    try:
        return int(connection.execute(f"SELECT count({what}) FROM main.{quote_name(table)}").fetchone()[0])
    except sqlite3.OperationalError as error:
        if was_interrupted(error):
            raise
        return None  # the module of a virtual table is missing
