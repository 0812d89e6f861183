"""``status``: list the applied and the pending migrations of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.commands.live_database import (
    DatabaseState,
    Folder,
    database_state,
    inspect_all,
    live_connection,
    read_folder,
)
from waiaas_migrate.errors import Problem
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome
from waiaas_migrate.runner.mismatch import Mismatch, manual_changes, never_ran
from waiaas_migrate.runner.proof.differences import Difference
from waiaas_migrate.sqlite.database.url import StrPath

State = Literal["applied", "pending", "unknown", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The migrations of a database.

    Args:
        database: its name.
        migrations: each with its state, in the order of the folder; unknown ones last.
        is_adopted: false if it has tables but no record of migrations, so that ``apply`` refuses it.
        problems: differences between the folder and its manifest, for which ``apply`` refuses the folder.
        mismatch: migrations that it didn't run as the folder has them, so that ``apply`` refuses it.
        manual_changes: differences of its schema from the one that its migrations make.
    """

    database: str
    migrations: tuple[tuple[str, State], ...]
    is_adopted: bool = True
    problems: tuple[Problem, ...] = ()
    mismatch: Mismatch | None = None
    manual_changes: tuple[str, ...] = ()

    def ids(self, state: State) -> tuple[str, ...]:
        """Return the migrations in ``state``."""
        return tuple(migration for migration, found in self.migrations if found == state)

    @property
    def is_at_head(self) -> bool:
        """Return whether exactly the migrations of the folder are applied, as it has them."""
        return self.mismatch is None and all(state == "applied" for _, state in self.migrations)


def status(project: Project, database: StrPath) -> Status:
    """Return which migrations ``database`` has applied; nothing is written.

    Raises:
        DatabaseFileError: the database cannot be read.
        MigrationsError: the migrations folder cannot be used.
    """
    return _status(database, folder=read_folder(project))


def status_of_all(
    project: Project,
    databases: Iterable[StrPath],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
) -> Iterator[Outcome[Status]]:
    """Yield the status of each of ``databases``, in their order.

    Raises:
        MigrationsError: the migrations folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    return inspect_all(_status, project, databases, fleet)


def _status(database: StrPath, *, folder: Folder) -> Status:
    with live_connection(database) as (connection, name):
        found = database_state(connection, folder)
        mismatch, by_hand = _compared(connection, folder, found)
    return Status(
        database=name,
        migrations=_states(folder, found),
        is_adopted=found.is_adopted,
        problems=folder.problems,
        mismatch=mismatch,
        manual_changes=tuple(map(str, by_hand)),
    )


def _compared(
    connection: sqlite3.Connection, folder: Folder, found: DatabaseState
) -> tuple[Mismatch | None, Sequence[Difference]]:
    """Return whether the database ran other migrations and, if not, the manual changes of its schema."""
    if folder.problems:  # the files may differ from the recorded ones
        return None, ()
    if found.changed is not None or found.unknown or not found.applied:
        return found.changed, ()
    todo = [migration.id for migration in found.pending]
    by_hand = manual_changes(connection, folder.files, todo)
    return never_ran(connection, folder.files, todo, by_hand), by_hand


def _states(folder: Folder, found: DatabaseState) -> tuple[tuple[str, State], ...]:
    states: dict[str, State] = {migration.id: "pending" for migration in folder.files.migrations}
    states |= dict.fromkeys((migration.id for migration in found.applied), "applied")
    states |= dict.fromkeys(() if found.changed is None else found.changed.migrations, "changed")
    return (*states.items(), *((row.id, "unknown") for row in found.unknown))
