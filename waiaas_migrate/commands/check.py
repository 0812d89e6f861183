"""``check``: report disagreements between schema.yaml, the enums, the migrations, and the manifest."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.authoring.faulty_pragmas import refuse_faulty_pragmas
from waiaas_migrate.authoring.faulty_rollbacks import RollbackFault, faulty_rollbacks
from waiaas_migrate.authoring.generate import pragmas_of, transition_to_declared
from waiaas_migrate.authoring.migration_conflicts import replay_folder
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.authoring.yoyo_reading import refuse_misread
from waiaas_migrate.commands.enums import stale_enums
from waiaas_migrate.commands.findings import Finding, FindingCode, Severity, Subject, schema_findings, with_place
from waiaas_migrate.commands.lint.lint import lint_errors
from waiaas_migrate.commands.lint.waivers import migration_waivers
from waiaas_migrate.commands.models import stale_models
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, check_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import EnumUse
from waiaas_migrate.files.schema_file.locate import KeyPlaces
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.schema.changes import Change, ModifyCheck
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.enum_lists import lists_of
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.reading.broken import BrokenObject, broken_objects

_GENERATE = "Run `waiaas-migrate generate`, review what it writes, and commit it."
_MISSING_VALUE = "value {!r} is in {}, but the migrations do not allow it in {}."
_REMOVED_VALUE = "value {!r} is not in {}, but the migrations still allow it in {}."
_WRITE_ROLLBACK = (
    "Write it, then run `waiaas-migrate record`. If there can't be one, write `-- lint ignore {}: REASON` instead."
)
#: The comment that names the JSON Schema (https://github.com/redhat-developer/yaml-language-server).
_EDITOR_LINE = re.compile(r"^\s*#\s*yaml-language-server\s*:\s*\$schema=(\S+)", re.MULTILINE)

#: A value that only schema.yaml or only the migrations allow: the enum's name, the message's format, and the value.
_Difference = tuple[str, str, str | int]


@collection_paused()
def check(project: Project, *, column_order: bool = False) -> tuple[Finding, ...]:
    """Return a finding for each disagreement between the files of a project; write nothing.

    Raises:
        InputError, UsageError: a file or a setting cannot be used at all.
    """
    findings = []
    for finding in _findings(project, column_order=column_order):
        file = display_name(project.root / finding.file, project.root)
        where = file if finding.where == finding.file else finding.where
        findings.append(replace(finding, file=file, where=where))
    return tuple(findings)


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
    enums, others = _enum_findings(changes, declared.source.enums)
    code, sentence = FindingCode.MISSING_MIGRATION, "missing migration: {}."
    yield from (*enums, *schema_findings(others, code=code, sentence=sentence, fix=_GENERATE, places=places), *broken)
    yield from stale_models(project, declared.source)
    if manifest is not None:
        problems = check_manifest(manifest, migrations)
        yield from (_file_finding(problem.file, problem.what, fix=problem.fix) for problem in problems)
        yield from _pragma_findings(manifest, pragmas)
        if manifest.ignore != project.ignore:
            setting, recorded = (", ".join(names) or "empty" for names in (project.ignore, manifest.ignore))
            what = f"the setting `ignore` is {setting} in pyproject.toml and {recorded} here."
            yield _file_finding(manifest.path, what)
        # Migrations that differ from the manifest also change the fingerprint.
        if manifest.fingerprint != head and not problems:
            what = "the fingerprint doesn't match the schema that the migrations build."
            yield _file_finding(manifest.path, what)
    elif migrations:
        yield _file_finding(project.migrations, f"{MANIFEST} is missing.", code=FindingCode.MISSING_MANIFEST)
    yield from lint_errors(project, declared, places)
    yield from _rollback_findings(project, migrations, manifest)
    yield from stale_enums(project)
    yield from _editor_findings(project)


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
    broken: Sequence[BrokenObject], migrations: Iterable[MigrationFile], places: KeyPlaces
) -> Iterator[Finding]:
    """Yield a finding for each broken view or trigger that no migration announces in a comment as a hazard."""
    hazards = (hazard for file in migrations if broken for hazard in derive_facts(file).forward.hazards)
    announced = {hazard.where for hazard in hazards if hazard.code == Code.BREAK_OBJECT}
    for found in broken:
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


def _enum_findings(
    changes: Iterable[Change], enums: Iterable[EnumUse]
) -> tuple[tuple[Finding, ...], tuple[Change, ...]]:
    """Return a finding for each enum value that ``changes`` add or remove, and the changes that are not about enums."""
    used = {use.name: use for use in enums}
    enum_of_column = {fold(column): use.name for use in used.values() for column in use.columns}
    columns: dict[_Difference, list[str]] = {}
    other_changes: list[Change] = []
    for change in changes:
        differences = _enum_differences(change, enum_of_column)
        if not differences:
            other_changes.append(change)
        for difference, column in differences:
            columns.setdefault(difference, []).append(column)
    findings = []
    for (enum, message, value), names in columns.items():
        place = used[enum].definition.place_of(value)
        what = message.format(value, f"{place.file}:{place.line}" if place.line else place.file, ", ".join(names))
        finding = Finding(code=FindingCode.ENUM_CHANGED, subject=Subject.ENUM, where=enum, what=what, fix=_GENERATE)
        findings.append(with_place(finding, place))
    return tuple(findings), tuple(other_changes)


def _enum_differences(change: Change, enum_of_column: dict[str, str]) -> list[tuple[_Difference, str]]:
    """Return the values that ``change`` adds to or removes from an enum's CHECK, each with the column's name."""
    if not isinstance(change, ModifyCheck) or (lists := lists_of(change.old, change.new)) is None:
        return []
    before, after = lists
    column = f"{change.table}.{after.column}"
    enum = enum_of_column.get(fold(column))
    if enum is None:
        return []
    missing = [((enum, _MISSING_VALUE, value), column) for value in after.values if value not in before.values]
    removed = [((enum, _REMOVED_VALUE, value), column) for value in before.values if value not in after.values]
    return [*missing, *removed]


def _rollback_findings(
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
            fix=_WRITE_ROLLBACK.format(code) if is_missing else "Correct it, then run `waiaas-migrate record`.",
            file=str(path),
        )


def _editor_findings(project: Project) -> Iterator[Finding]:
    """Yield a finding if the JSON Schema that schema.yaml names is missing, unreadable, or outdated.

    A JSON Schema at a URL, or from another author, is ignored.
    """
    text = project.schema.read_text(encoding="utf-8")
    if "yaml-language-server" not in text or (comment := _EDITOR_LINE.search(text)) is None or "://" in comment[1]:
        return
    path = project.schema.parent / comment[1].removeprefix("file:")
    if what := _json_schema_fault(path):
        code, where = FindingCode.STALE_JSON_SCHEMA, display_name(path, project.root)
        fix = f"Run `waiaas-migrate json-schema -o {shlex.quote(where)}`."
        file, line = display_name(project.schema, project.root), text.count("\n", 0, comment.start(1)) + 1
        yield Finding(code=code, subject=Subject.SCHEMA, where=where, what=what, fix=fix, file=file, line=line)


def _json_schema_fault(path: Path) -> str:
    """Return what is wrong with the JSON Schema ``path``; empty if it is current or from another author."""
    from waiaas_migrate.files.schema_file.json_schema import is_json_schema, json_schema

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "schema.yaml names this JSON Schema for editors, but the file is missing."
    except (OSError, ValueError, RecursionError) as error:
        return f"schema.yaml names this JSON Schema for editors, but it can't be read: {error}."
    is_current = not is_json_schema(content) or content == json_schema()
    return "" if is_current else "this JSON Schema for editors was written by another version of waiaas-migrate."
