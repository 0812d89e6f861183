"""``drift``: is a live database what its migrations made of it?"""

from __future__ import annotations

from dataclasses import dataclass

from waiaas_migrate.checks.database import reading, standing
from waiaas_migrate.checks.report import Finding, Subject, schema_findings
from waiaas_migrate.files.migration_dir import read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.generate.replay import replay
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.sqlite.introspect import introspect

_SAYING = "changed without a migration: {}."
_FIX = "Find out who changed it by hand; then change it back, or change schema.yaml and generate."


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What differs in ``database`` from what the migrations that it has run make; ``pending`` are those it has not."""

    database: str
    findings: tuple[Finding, ...]
    pending: tuple[str, ...]


def drift(project: Project, database: str, *, column_order: bool = False) -> Drift:
    """Compare ``database`` with the migrations it has run, replayed in memory; nothing is written.

    Raises:
        DatabaseFileError: where the database cannot be read.
        MigrationsError: where the migrations folder cannot be used.
        UnsupportedError: names what in the database cannot be read exactly.
    """
    migrations = read_migrations(project.migrations)
    with reading(database) as (connection, name):
        found = standing(connection, migrations)
        live = introspect(connection)
    changes = diff(introspect(replay(found.applied)), live, column_order=column_order)
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
    )
