"""``status``: list the applied and the pending migrations of a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.commands.live_database import database_state, inspect_all, live_connection, new_run, read_folder
from waiaas_migrate.errors import Problem
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome

State = Literal["applied", "pending", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The migrations of a database.

    Args:
        database: its name.
        migrations: each with its state, in the order of the folder; unknown ones last.
        is_adopted: false if it has tables but no record of migrations, so that ``apply`` refuses it.
        problems: differences between the folder and its manifest, for which ``apply`` refuses the folder.
    """

    database: str
    migrations: tuple[tuple[str, State], ...]
    is_adopted: bool = True
    problems: tuple[Problem, ...] = ()

    def ids(self, state: State) -> tuple[str, ...]:
        """Return the migrations in ``state``."""
        return tuple(migration for migration, found in self.migrations if found == state)

    @property
    def is_at_head(self) -> bool:
        """Return whether exactly the migrations of the folder are applied."""
        return all(state == "applied" for _, state in self.migrations)


def status(project: Project, database: str) -> Status:
    """Return which migrations ``database`` has applied; nothing is written.

    Raises:
        DatabaseFileError: the database cannot be read.
        MigrationsError: the migrations folder cannot be used.
    """
    return _status(database, project=project, run=new_run())


def status_of_all(
    project: Project,
    databases: Iterable[str],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
) -> Iterator[Outcome[Status]]:
    """Yield the status of each of ``databases``, in their order.

    Raises:
        MigrationsError: the migrations folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    return inspect_all(_status, project, databases, fleet)


def _status(database: str, *, project: Project, run: int) -> Status:
    folder = read_folder(project, run)
    with live_connection(database) as (connection, name):
        found = database_state(connection, folder)
    applied = {migration.id for migration in found.applied}
    known: list[tuple[str, State]] = [(m.id, "applied" if m.id in applied else "pending") for m in folder.migrations]
    unknown: list[tuple[str, State]] = [(row.id, "unknown") for row in found.unknown]
    return Status(database=name, migrations=(*known, *unknown), is_adopted=found.is_adopted, problems=folder.problems)
