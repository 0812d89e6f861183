"""``check``: report disagreements between schema.yaml, the enums, the migrations, and the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.authoring.faulty_pragmas import refuse_faulty_pragmas
from waiaas_migrate.authoring.generate import pragmas_of, transition_to_declared
from waiaas_migrate.authoring.migration_conflicts import replay_folder
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.authoring.yoyo_reading import refuse_misread
from waiaas_migrate.commands.editor_findings import editor_findings
from waiaas_migrate.commands.enum_findings import enum_findings
from waiaas_migrate.commands.enums import stale_enums
from waiaas_migrate.commands.findings import Finding, FindingCode, Subject, schema_findings, with_place
from waiaas_migrate.commands.lint.lint import lint_errors
from waiaas_migrate.commands.models import stale_models
from waiaas_migrate.commands.rollback_findings import rollback_findings
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, check_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.key_places import KeyPlaces
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.reading.broken import BrokenObject, broken_objects

_MISSING = "missing migration: {}."
_GENERATE = "Run `waiaas-migrate generate`, review what it writes, and commit it."


@collection_paused()
def check(project: Project, *, column_order: bool = False) -> tuple[Finding, ...]:
    """Return a finding for each disagreement between the files of a project; write nothing.

    Raises:
        InputError: a file cannot be used at all.
    """
    findings = _findings(project, column_order=column_order)
    return tuple(_with_relative_file(finding, project.root) for finding in findings)


def _findings(project: Project, *, column_order: bool) -> Iterator[Finding]:
    renderer, places = Renderer(project.templates), KeyPlaces(project.schema, root=project.root)
    migrations, _, manifest = read_recorded(project.migrations, missing_ok=True)
    refuse_misread(migrations, manifest)
    with closing(replay_folder(migrations, manifest)) as replayed:
        declared = declare(project, renderer, like=replayed)
        pragmas = pragmas_of(declared.source)
        refuse_faulty_pragmas(project, pragmas)
        transition = transition_to_declared(project, replayed, declared, manifest, renderer)
        head = fingerprint(read_catalog(replayed))
        broken = tuple(_broken_findings(broken_objects(replayed, transition.start), migrations, places))
    changes = (
        *transition.renames.tables,
        *transition.renames.columns,
        *diff(transition.old, transition.new, column_order=column_order),
    )
    enums, others = enum_findings(changes, declared.source.enums, fix=_GENERATE)
    code = FindingCode.MISSING_MIGRATION
    yield from (*enums, *schema_findings(others, code=code, sentence=_MISSING, fix=_GENERATE, places=places), *broken)
    yield from stale_models(project, declared.source)
    if manifest is not None:
        problems = check_manifest(manifest, migrations)
        yield from (_file_finding(problem.file, problem.what, fix=problem.fix) for problem in problems)
        yield from _pragma_findings(manifest, pragmas)
        yield from _manifest_findings(manifest, project, head, is_intact=not problems)
    elif migrations:
        yield _file_finding(project.migrations, f"{MANIFEST} is missing.", code=FindingCode.MISSING_MANIFEST)
    yield from lint_errors(project, declared, places)
    yield from rollback_findings(project, migrations, manifest)
    yield from stale_enums(project)
    yield from editor_findings(project)


def _with_relative_file(finding: Finding, root: Path) -> Finding:
    """Return ``finding`` with the path of its file relative to ``root``."""
    file = display_name(root / finding.file, root)
    return replace(finding, file=file, where=file if finding.where == finding.file else finding.where)


def _file_finding(
    file: Path | str,
    what: str,
    *,
    code: FindingCode = FindingCode.STALE_MANIFEST,
    subject: Subject = Subject.MANIFEST,
    fix: str = _GENERATE,
) -> Finding:
    return Finding(code=code, subject=subject, where=str(file), what=what, fix=fix, file=str(file))


def _broken_findings(
    broken: Iterable[BrokenObject], migrations: Iterable[MigrationFile], places: KeyPlaces
) -> Iterator[Finding]:
    """Yield a finding for each broken view and trigger whose hazard no migration announces in a comment."""
    objects = tuple(broken)
    hazards = (hazard for file in migrations if objects for hazard in derive_facts(file).forward.hazards)
    announced = {hazard.where for hazard in hazards if hazard.code == Code.BREAK_OBJECT}
    for found in objects:
        name = " ".join(found.name.split())
        if name not in announced:
            what = f"the {found.kind} does not work: {found.error}."
            fix = (
                f"Correct or drop the {found.kind}. To keep it broken, say why in a comment of the migration: "
                f"`-- hazard {Code.BREAK_OBJECT} {name}: REASON`."
            )
            code, subject = FindingCode.BROKEN_OBJECT, Subject.SCHEMA
            finding = Finding(code=code, subject=subject, where=found.name, what=what, fix=fix)
            yield with_place(finding, places.find((f"{found.kind}s", found.name)))


def _pragma_findings(manifest: Manifest, declared: tuple[Pragma, ...]) -> Iterator[Finding]:
    if manifest.pragmas == declared:
        return
    recorded_values = {pragma.name: pragma.value for pragma in manifest.pragmas}
    declared_values = {pragma.name: pragma.value for pragma in declared}
    differences = [
        f"PRAGMA {name} is {declared_values.get(name, 'absent')} in schema.yaml and "
        f"{recorded_values.get(name, 'absent')} here."
        for name in declared_values | recorded_values
        if declared_values.get(name) != recorded_values.get(name)
    ]
    for what in differences or ["the PRAGMAs are in a different order than in schema.yaml."]:
        yield _file_finding(manifest.path, what, code=FindingCode.PRAGMA_CHANGED, subject=Subject.PRAGMA)


def _manifest_findings(manifest: Manifest, project: Project, head: str, *, is_intact: bool) -> Iterator[Finding]:
    """Yield a finding if the setting ``ignore`` or the fingerprint of the manifest is out of date.

    ``head`` is the fingerprint of the schema that the migrations build. ``is_intact`` is false if other findings report
    migrations that differ from the manifest; the fingerprint then differs for the same reason.
    """
    if manifest.ignore != project.ignore:
        setting, recorded = (", ".join(names) or "empty" for names in (project.ignore, manifest.ignore))
        yield _file_finding(manifest.path, f"the setting `ignore` is {setting} in pyproject.toml and {recorded} here.")
    if manifest.fingerprint != head and is_intact:
        yield _file_finding(manifest.path, "the fingerprint differs from that of the schema that the migrations build.")
