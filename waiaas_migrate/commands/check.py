"""``check``: do schema.yaml, the enums, the migrations and the manifest agree? No database is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

from waiaas_migrate.authoring.branches import replay_folder
from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.authoring.generate import pragmas_of, transition_to_declared
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.commands.findings import Finding, Subject, enum_findings, schema_findings
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, check_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.reading.broken import Broken, broken_objects

_SAYING = "schema.yaml calls for this: {}."
_GENERATE = "Run `waiaas-migrate generate`, review what it writes and commit it."


@collection_paused()
def check(project: Project, *, column_order: bool = False) -> tuple[Finding, ...]:
    """Everything in the project that does not agree; empty where all is well.

    Raises:
        InputError: where a file cannot be used at all.
    """
    renderer = Renderer(project.templates)
    migrations, _, manifest = read_recorded(project.migrations, missing_ok=True)
    with closing(replay_folder(migrations, manifest)) as replayed:
        declared = declare(project, renderer, like=replayed)
        step = transition_to_declared(project, replayed, declared, manifest, renderer)
        head = fingerprint(read_catalog(replayed))
        broken = _broken_findings(broken_objects(replayed, step.start), migrations)
    changes = (*step.renames.tables, *step.renames.columns, *diff(step.old, step.new, column_order=column_order))
    enums, rest = enum_findings(changes, declared.source.enums, lacking="the migrations", fix=_GENERATE)
    differing = (*schema_findings(rest, saying=_SAYING, fix=_GENERATE), *broken)
    if manifest is None:
        return (*enums, *differing, *_unrecorded(project, recorded=bool(migrations)))
    problems = check_manifest(manifest, migrations)
    return (
        *enums,
        *differing,
        *(Finding(subject=Subject.MANIFEST, where=p.file, what=p.what, fix=p.fix) for p in problems),
        *_pragma_findings(manifest, pragmas_of(declared.source)),
        *_ignored_findings(manifest, project),
        *_fingerprint_findings(manifest, head, sound=not problems),
    )


def _broken_findings(broken: Iterable[Broken], migrations: Iterable[MigrationFile]) -> Iterator[Finding]:
    """Report what the migrations leave broken, unless the head of one of them announces that hazard."""
    found = tuple(broken)
    hazards = (hazard for file in migrations if found for hazard in derive_facts(file).forward.hazards)
    announced = {hazard.where for hazard in hazards if hazard.code == Code.BREAK_OBJECT}
    for one in found:
        name = " ".join(one.name.split())
        if name not in announced:
            announcement = f"-- hazard {Code.BREAK_OBJECT} {name}: "
            what = f"the {one.kind} does not work: {one.error}."
            fix = f"Correct or drop it. If it may stay broken, say so in a migration's head: `{announcement}REASON`."
            yield Finding(subject=Subject.SCHEMA, where=one.name, what=what, fix=fix)


def _unrecorded(project: Project, *, recorded: bool) -> tuple[Finding, ...]:
    if not recorded:
        return ()
    what = f"there is no {MANIFEST} beside the migrations."
    return (Finding(subject=Subject.MANIFEST, where=str(project.migrations), what=what, fix=_GENERATE),)


def _pragma_findings(manifest: Manifest, declared: tuple[Pragma, ...]) -> tuple[Finding, ...]:
    if manifest.pragmas == declared:
        return ()
    recorded = {pragma.name: pragma.value for pragma in manifest.pragmas}
    wanted = {pragma.name: pragma.value for pragma in declared}
    different = [name for name in {**wanted, **recorded} if wanted.get(name) != recorded.get(name)]
    whats = [
        f"PRAGMA {name} is {wanted.get(name, 'absent')} in schema.yaml and {recorded.get(name, 'absent')} here."
        for name in different
    ] or ["the PRAGMAs stand in another order than in schema.yaml."]
    where = str(manifest.path)
    return tuple(Finding(subject=Subject.PRAGMA, where=where, what=what, fix=_GENERATE) for what in whats)


def _ignored_findings(manifest: Manifest, project: Project) -> tuple[Finding, ...]:
    if manifest.ignore_tables == project.ignore_tables:
        return ()
    wanted, recorded = (", ".join(names) or "nothing" for names in (project.ignore_tables, manifest.ignore_tables))
    what = f"ignore_tables is {wanted} in pyproject.toml and {recorded} here."
    return (Finding(subject=Subject.MANIFEST, where=str(manifest.path), what=what, fix=_GENERATE),)


def _fingerprint_findings(manifest: Manifest, replayed: str, *, sound: bool) -> tuple[Finding, ...]:
    if manifest.fingerprint == replayed or not sound:
        return ()
    what = "the manifest's fingerprint is not that of the schema which the migrations build."
    return (Finding(subject=Subject.MANIFEST, where=str(manifest.path), what=what, fix=_GENERATE),)
