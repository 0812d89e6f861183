"""``status``: which migrations a database has run, and which it has yet to run."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.commands.live_database import (
    folder_of,
    has_unrecorded_tables,
    new_run,
    others_of,
    problems_of,
    reading,
    standing,
)
from waiaas_migrate.errors import Problem
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.fleet.patterns import refuse_single_name

State = Literal["applied", "pending", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A database's migrations, each with its state, in the order of the folder; unknown ones last.

    ``is_adopted`` is false where it has tables and no record of migrations, so that applying refuses it; so it does for
    any of ``problems``, which the folder has.
    """

    database: str
    migrations: tuple[tuple[str, State], ...]
    is_adopted: bool = True
    problems: tuple[Problem, ...] = ()

    def ids(self, state: State) -> tuple[str, ...]:
        """The migrations in ``state``."""
        return tuple(migration for migration, found in self.migrations if found == state)

    @property
    def is_at_head(self) -> bool:
        """Whether all that is in the folder was run, and nothing else."""
        return len(self.ids("applied")) == len(self.migrations)


def status(project: Project, database: str) -> Status:
    """Where ``database`` stands among the project's migrations; nothing is written.

    Raises:
        DatabaseFileError: where the database cannot be read.
        MigrationsError: where the migrations folder cannot be used.
    """
    return _status(database, project=project, run=new_run())


def status_of_all(
    project: Project,
    databases: Iterable[str],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
) -> Iterator[Outcome[Status]]:
    """Where each of ``databases`` stands; the folder is read once.

    Raises:
        MigrationsError: where the migrations folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    refuse_single_name(databases)
    run = new_run()
    problems_of(project, run)
    return each(functools.partial(_status, project=project, run=run), databases, fleet)


def _status(database: str, *, project: Project, run: int) -> Status:
    migrations = folder_of(project, run)
    with reading(database) as (connection, name):
        found = standing(connection, migrations)
        is_adopted = not has_unrecorded_tables(connection, others_of(project, run))
    applied = {migration.id for migration in found.applied}
    states: list[tuple[str, State]] = [(m.id, "applied" if m.id in applied else "pending") for m in migrations]
    states += [(row.id, "unknown") for row in found.unknown]
    problems = problems_of(project, run)
    return Status(database=name, migrations=tuple(states), is_adopted=is_adopted, problems=problems)
