"""``adopt``: take over databases that have tables, but no record of migrations."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.adopt import Adoption, adopt_in
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.folder import MigrationFolder, read_folder
from waiaas_migrate.sqlite.database.url import StrPath

_FIX = (
    "If the database is right, declare the difference in schema.yaml and run `waiaas-migrate generate`. If the "
    "migrations are right, change the database. Then adopt it again."
)


def adopt(project: Project, database: StrPath, *, at: str | None = None, dry_run: bool = False) -> Adoption:
    """Prove that ``database`` has the migrations' schema, and record them as applied.

    Tables get the migrations' text; rows stay as they are. If something differs, nothing is changed.

    Args:
        project: the project with the migrations.
        database: a path or URL.
        at: the last migration to record; by default, the last one that is recorded or, if none is, the last.
        dry_run: write nothing.

    Raises:
        DatabaseFileError: the file is missing, or can't be used.
        DatabaseRefused: it has records of other migrations, or no tables.
        MigrationsError: the migrations folder can't be used.
        UsageError: ``at`` is not a migration, or is earlier than one that is recorded.
        Interrupted: Ctrl-C ended the run.
    """
    return adopt_in(database, _folder(project), at=at, dry_run=dry_run)


def adopt_all(
    project: Project,
    databases: Iterable[StrPath],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    *,
    at: str | None = None,
    dry_run: bool = False,
) -> Iterator[Outcome[Adoption]]:
    """Yield the adoption of each of ``databases``, in their order.

    Raises:
        MigrationsError: the migrations folder can't be used.
        UsageError: ``databases`` is one name.
    """
    return each(functools.partial(adopt_in, folder=_folder(project), at=at, dry_run=dry_run), databases, fleet)


def _folder(project: Project) -> MigrationFolder:
    """Return the migrations folder, with the project's own settings on other tools."""
    return replace(read_folder(project.migrations), ignore=project.ignore)


def findings_of(adoption: Adoption) -> tuple[Finding, ...]:
    """Return the differences that stopped ``adoption``, by table, with the fix."""
    by_table = sorted(adoption.differences, key=lambda one: one.where)
    fix = equal_point(adoption) or _FIX
    code, subject = FindingCode.MANUAL_CHANGE, Subject.SCHEMA
    return tuple(Finding(code=code, subject=subject, where=one.where, what=f"{one}.", fix=fix) for one in by_table)


def equal_point(adoption: Adoption) -> str:
    """Return how to adopt the database at the migration that it equals, or an empty text if it equals none."""
    if not adoption.equal_to:
        return ""
    points, last = " or ".join(adoption.equal_to), adoption.equal_to[-1]
    return f"It equals the migrations up to {points}: adopt it with `--at {last}`."
