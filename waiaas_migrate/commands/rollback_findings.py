"""Report hand-written migrations that can't be rolled back, for ``check``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from waiaas_migrate.authoring.faulty_rollbacks import RollbackFault, faulty_rollbacks
from waiaas_migrate.commands.findings import Finding, FindingCode, Severity, Subject
from waiaas_migrate.commands.lint.waivers import migration_waivers
from waiaas_migrate.files.migration_dir.manifest import Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.text_file import display_name

_CORRECT = "Correct it, then run `waiaas-migrate record`."
_MISSING = (
    "Write it, then run `waiaas-migrate record`. If there can't be one, write `-- lint ignore {}: REASON` instead."
)


def rollback_findings(
    project: Project, migrations: Sequence[MigrationFile], manifest: Manifest | None
) -> Iterator[Finding]:
    """Yield a finding for each hand-written migration whose rollback is missing, fails, or leaves a difference.

    Only migrations in the manifest are tried. A comment in the migration or the settings of ``lint`` can waive a
    finding. By default, a missing rollback has the severity info, because it may be intended.
    """
    facts = {} if manifest is None else manifest.facts
    hand_written = {name for name, known in facts.items() if known.by_hand}
    for migration, fault, what in faulty_rollbacks(migrations, hand_written):
        code = FindingCode[fault]
        if code in project.lint.ignore or code in migration_waivers(migration, root=project.root):
            continue
        is_missing = fault is RollbackFault.MISSING
        path = migration.path if is_missing else migration.path.with_name(f"{migration.id}.rollback.sql")
        yield Finding(
            code=code,
            severity=Severity(project.lint.severity_of(code, Severity.INFO if is_missing else Severity.ERROR)),
            subject=Subject.MIGRATION,
            where=display_name(path, project.root),
            what="the migration has no rollback." if is_missing else what.removeprefix(f"{path.name} "),
            fix=_MISSING.format(code) if is_missing else _CORRECT,
            file=str(path),
        )
