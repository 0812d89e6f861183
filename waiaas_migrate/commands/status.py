"""``status``: list the applied and the pending migrations of a database."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.commands.live_database import (
    DatabaseState,
    ProjectFolder,
    database_state,
    live_connection,
    read_project_folder,
)
from waiaas_migrate.errors import Problem
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.mismatch import Mismatch, find_never_ran, manual_changes
from waiaas_migrate.runner.proof.differences import Difference
from waiaas_migrate.sqlite.database.url import StrPath

State = Literal["applied", "pending", "unknown", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The migrations of a database, each with its state, and the reasons for which ``apply`` would refuse it.

    Args:
        database: the name of the database.
        migrations: the id and state of each migration, in the order of the folder; unknown migrations last.
        is_adopted: false if the database has tables but no record of migrations. ``apply`` refuses such a database.
        problems: differences between the folder and its manifest. ``apply`` refuses such a folder.
        mismatch: migrations that ran with another text, or never ran. ``apply`` refuses such a database.
        manual_changes: differences of the database's schema from the schema that its migrations make.
    """

    database: str
    migrations: tuple[tuple[str, State], ...]
    is_adopted: bool = True
    problems: tuple[Problem, ...] = ()
    mismatch: Mismatch | None = None
    manual_changes: tuple[str, ...] = ()

    def ids(self, state: State) -> tuple[str, ...]:
        """Return the ids of the migrations in ``state``."""
        return tuple(migration for migration, found in self.migrations if found == state)

    @property
    def is_at_head(self) -> bool:
        """Return whether the database has applied all migrations of the folder, unchanged, and no others."""
        return self.mismatch is None and all(state == "applied" for _, state in self.migrations)


def status(project: Project, database: StrPath) -> Status:
    """Return the applied and pending migrations of ``database``; write nothing.

    Raises:
        DatabaseFileError: the database cannot be read.
        MigrationsError: the migrations folder cannot be used.
    """
    return _status(database, folder=read_project_folder(project))


def status_of_all(
    project: Project,
    databases: Iterable[StrPath],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
) -> Iterator[Outcome[Status]]:
    """Yield the status of each of ``databases``, in their order.

    Raises:
        MigrationsError: the migrations folder cannot be used.
        UsageError: ``databases`` is a single name instead of several.
    """
    return each(functools.partial(_status, folder=read_project_folder(project)), databases, fleet)


def _status(database: StrPath, *, folder: ProjectFolder) -> Status:
    with live_connection(database) as (connection, name):
        state = database_state(connection, folder)
        mismatch, differences = _compare_schema(connection, folder, state)
    states: dict[str, State] = {migration.id: "pending" for migration in folder.files.migrations}
    states |= dict.fromkeys((migration.id for migration in state.applied), "applied")
    states |= dict.fromkeys(() if state.mismatch is None else state.mismatch.migrations, "changed")
    return Status(
        database=name,
        migrations=(*states.items(), *((row.id, "unknown") for row in state.unknown)),
        is_adopted=state.is_adopted,
        problems=folder.problems,
        mismatch=mismatch,
        manual_changes=tuple(map(str, differences)),
    )


def _compare_schema(
    connection: sqlite3.Connection, folder: ProjectFolder, state: DatabaseState
) -> tuple[Mismatch | None, Sequence[Difference]]:
    """Return the mismatch between the database and the folder, and the manual changes if they can be determined."""
    if folder.problems:  # a comparison with migrations that may have been edited would mislead
        return None, ()
    if state.mismatch is not None or state.unknown or not state.applied:
        return state.mismatch, ()
    pending = [migration.id for migration in state.pending]
    differences = manual_changes(connection, folder.files, pending)
    return find_never_ran(connection, folder.files, pending, differences), differences
