"""``adopt``: start to use migrations in databases that were created without them."""

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
    """Prove that ``database`` has the schema that the migrations make, and record them as applied.

    The definitions of tables get the migrations' wording; rows stay as they are. If the schema differs, the database
    isn't changed.

    ``at`` is the last migration to record; by default the last recorded one or, if there is none, the last of the
    folder. ``dry_run``: write nothing.

    Raises:
        DatabaseFileError: the file is missing, or can't be used.
        DatabaseRefused: the database has records of other migrations, or no tables.
        MigrationsError: the migrations folder can't be used.
        UsageError: ``at`` is not a migration, or an earlier migration than the last recorded one.
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
        UsageError: ``databases`` is a single name instead of several.
    """
    return each(functools.partial(adopt_in, folder=_folder(project), at=at, dry_run=dry_run), databases, fleet)


def _folder(project: Project) -> MigrationFolder:
    """Return the migrations folder, with the patterns in pyproject.toml for tables to ignore."""
    return replace(read_folder(project.migrations), ignore=project.ignore)


def findings_of(adoption: Adoption) -> tuple[Finding, ...]:
    """Return a finding for each difference that prevented ``adoption``, sorted by name."""
    by_name = sorted(adoption.differences, key=lambda difference: difference.where)
    fix = hint_at_equal_migration(adoption) or _FIX
    code, subject = FindingCode.MANUAL_CHANGE, Subject.SCHEMA
    return tuple(Finding(code=code, subject=subject, where=one.where, what=f"{one}.", fix=fix) for one in by_name)


def hint_at_equal_migration(adoption: Adoption) -> str:
    """Return a hint to pass ``--at`` if an earlier migration makes the database's schema, else an empty string."""
    if not adoption.equal_to:
        return ""
    migrations, last = " or ".join(adoption.equal_to), adoption.equal_to[-1]
    return f"The database has the schema after {migrations}: adopt it with `--at {last}`."
