"""``check``: compare schema.yaml, the enums, the migrations, and the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.authoring.branches import replay_folder
from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.authoring.generate import pragmas_of, transition_to_declared
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.authoring.tried_pragmas import refuse_faulty_pragmas
from waiaas_migrate.authoring.yoyo_reading import refuse_misread
from waiaas_migrate.commands.editor_findings import editor_findings
from waiaas_migrate.commands.enum_findings import enum_findings
from waiaas_migrate.commands.enums import stale_enums
from waiaas_migrate.commands.findings import Finding, FindingCode, Subject, placed, schema_findings
from waiaas_migrate.commands.lint.lint import certain_findings
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
    """Return a finding for each disagreement in the project; write nothing.

    Raises:
        InputError: a file cannot be used at all.
    """
    return tuple(_relative(one, project.root) for one in _findings(project, column_order=column_order))


def _findings(project: Project, *, column_order: bool) -> Iterator[Finding]:
    renderer, places = Renderer(project.templates), KeyPlaces(project.schema, root=project.root)
    migrations, _, manifest = read_recorded(project.migrations, missing_ok=True)
    refuse_misread(migrations, manifest)
    with closing(replay_folder(migrations, manifest)) as replayed:
        declared = declare(project, renderer, like=replayed)
        pragmas = pragmas_of(declared.source)
        refuse_faulty_pragmas(project, pragmas)
        step = transition_to_declared(project, replayed, declared, manifest, renderer)
        head = fingerprint(read_catalog(replayed))
        broken = tuple(_broken_findings(broken_objects(replayed, step.start), migrations, places))
    changes = (*step.renames.tables, *step.renames.columns, *diff(step.old, step.new, column_order=column_order))
    enums, rest = enum_findings(changes, declared.source.enums, fix=_GENERATE)
    code = FindingCode.MISSING_MIGRATION
    yield from (*enums, *schema_findings(rest, code=code, sentence=_MISSING, fix=_GENERATE, places=places), *broken)
    yield from stale_models(project, declared.source)
    if manifest is not None:
        problems = check_manifest(manifest, migrations)
        yield from (_file_finding(problem.file, problem.what, fix=problem.fix) for problem in problems)
        yield from _pragma_findings(manifest, pragmas)
        yield from _manifest_findings(manifest, project, head, is_intact=not problems)
    elif migrations:
        yield _file_finding(project.migrations, f"{MANIFEST} is missing.", code=FindingCode.MISSING_MANIFEST)
    yield from certain_findings(project, declared, places)
    yield from rollback_findings(project, migrations, manifest)
    yield from stale_enums(project)
    yield from editor_findings(project)


def _relative(finding: Finding, root: Path) -> Finding:
    """Return ``finding`` with the name of its file relative to ``root``."""
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
    """Report broken views and triggers, unless a migration announces the hazard."""
    found = tuple(broken)
    hazards = (hazard for file in migrations if found for hazard in derive_facts(file).forward.hazards)
    announced = {hazard.where for hazard in hazards if hazard.code == Code.BREAK_OBJECT}
    for one in found:
        name = " ".join(one.name.split())
        if name not in announced:
            what = f"the {one.kind} does not work: {one.error}."
            fix = (
                "Correct or drop it. To keep it broken, say why in a comment of the migration: "
                f"`-- hazard {Code.BREAK_OBJECT} {name}: REASON`."
            )
            code, subject = FindingCode.BROKEN_OBJECT, Subject.SCHEMA
            finding = Finding(code=code, subject=subject, where=one.name, what=what, fix=fix)
            yield placed(finding, places.find((f"{one.kind}s", one.name)))


def _pragma_findings(manifest: Manifest, declared: tuple[Pragma, ...]) -> Iterator[Finding]:
    if manifest.pragmas == declared:
        return
    here = {pragma.name: pragma.value for pragma in manifest.pragmas}
    there = {pragma.name: pragma.value for pragma in declared}
    whats = [
        f"PRAGMA {name} is {there.get(name, 'absent')} in schema.yaml and {here.get(name, 'absent')} here."
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    for what in whats or ["the PRAGMAs are in a different order than in schema.yaml."]:
        yield _file_finding(manifest.path, what, code=FindingCode.PRAGMA_CHANGED, subject=Subject.PRAGMA)


def _manifest_findings(manifest: Manifest, project: Project, head: str, *, is_intact: bool) -> Iterator[Finding]:
    """Report outdated settings and fingerprints; ``head`` is the right fingerprint."""
    if manifest.ignore != project.ignore:
        there, here = (", ".join(names) or "empty" for names in (project.ignore, manifest.ignore))
        what = f"the setting `ignore` is {there} in pyproject.toml and {here} here."
        yield _file_finding(manifest.path, what)
    if manifest.fingerprint != head and is_intact:
        what = "the fingerprint differs from that of the schema that the migrations build."
        yield _file_finding(manifest.path, what)
