"""``drift``: is a live database what its migrations made of it?"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from waiaas_migrate.checks.database import folder_of, has_unrecorded_tables, new_run, reading, standing
from waiaas_migrate.checks.report import Finding, Subject, schema_findings
from waiaas_migrate.files.project import Project
from waiaas_migrate.generate.replay import replay
from waiaas_migrate.runner.many.fleet import Fleet, Outcome, each
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.introspect import introspect

_SAYING = "changed without a migration: {}."
_FIX = (
    "Find out who changed it by hand, and change it back. What shall stay, declare in schema.yaml then, and generate."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What differs in ``database`` from what the migrations that it has run make; ``pending`` are those it has not.

    ``is_adopted`` is false where it has tables and no record of migrations: then all of it differs.
    """

    database: str
    findings: tuple[Finding, ...]
    pending: tuple[str, ...]
    is_adopted: bool = True


def drift(project: Project, database: str, *, column_order: bool = False) -> Drift:
    """Compare ``database`` with the migrations it has run, replayed in memory; nothing is written.

    Raises:
        DatabaseFileError: where the database cannot be read.
        MigrationsError: where the migrations folder cannot be used.
        UnsupportedError: names what in the database cannot be read exactly.
    """
    return _drift(database, project=project, column_order=column_order, run=new_run())


def drift_of_all(
    project: Project,
    databases: Iterable[str],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    *,
    column_order: bool = False,
) -> Iterator[Outcome[Drift]]:
    """Compare each of ``databases``; the folder is read once, and replayed once for those that have run the same.

    Raises:
        MigrationsError: where the migrations folder cannot be used.
    """
    run = new_run()
    folder_of(project, run)
    return each(functools.partial(_drift, project=project, column_order=column_order, run=run), databases, fleet)


def _drift(database: str, *, project: Project, column_order: bool, run: int) -> Drift:
    migrations = folder_of(project, run)
    with reading(database) as (connection, name):
        found = standing(connection, migrations)
        is_adopted = not has_unrecorded_tables(connection)
        live = introspect(connection)
        made = _replayed(project, run, tuple(migration.id for migration in found.applied))
        changes = diff(made, live, column_order=column_order)
    unknown = tuple(
        Finding(
            subject=Subject.MIGRATION,
            where=row.id,
            what="the database has run this migration, which is not in the folder.",
            fix="Use the version of the application that has it.",
        )
        for row in found.unknown
    )
    return Drift(
        database=name,
        findings=(*unknown, *schema_findings(changes, saying=_SAYING, fix=_FIX)),
        pending=tuple(migration.id for migration in found.pending),
        is_adopted=is_adopted,
    )


@functools.lru_cache(maxsize=16)
def _replayed(project: Project, run: int, names: tuple[str, ...]) -> Schema:
    """What these migrations make."""
    wanted = set(names)
    with closing(replay([migration for migration in folder_of(project, run) if migration.id in wanted])) as connection:
        return introspect(connection)
