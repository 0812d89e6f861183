"""What ``check``, ``drift`` and ``lint`` report: findings, their codes, and functions that create them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from waiaas_migrate.errors import Failure, Problem
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.locate import KeyPlaces, key_path
from waiaas_migrate.schema.changes import Change, spelled_name
from waiaas_migrate.schema.describe import describe


class Subject(StrEnum):
    """The part of a project or database that a finding is about."""

    ENUM = "enum"
    SCHEMA = "schema"
    MANIFEST = "manifest"
    PRAGMA = "pragma"
    MIGRATION = "migration"
    HOOK = "hook"
    MODELS = "models"
    INPUT = "input"


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class FindingCode(StrEnum):
    """The kinds of findings of ``check`` and ``drift``, each with the explanation that ``docs/findings.md`` lists."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Return the code ``value`` with its explanation."""
        code = str.__new__(cls, value)
        code._value_, code.explanation = value, explanation
        return code

    BROKEN_OBJECT = "BROKEN_OBJECT", "A view or trigger does not work, such as a view that reads a missing table."
    ENUM_CHANGED = "ENUM_CHANGED", "The application's enum and the list of values in the migrations differ."
    FAILING_ROLLBACK = "FAILING_ROLLBACK", "The rollback of a hand-written migration fails."
    HOOK_CHANGE = "HOOK_CHANGE", "An object differs from what the post-apply hooks make."
    INCOMPLETE_ROLLBACK = "INCOMPLETE_ROLLBACK", "The rollback of a hand-written migration leaves a difference."
    MANUAL_CHANGE = "MANUAL_CHANGE", "The database has a change that no migration made."
    MISSING_MANIFEST = "MISSING_MANIFEST", "The migrations folder has no manifest.json."
    MISSING_MIGRATION = "MISSING_MIGRATION", "schema.yaml declares a change that no migration makes."
    MISSING_ROLLBACK = "MISSING_ROLLBACK", "A hand-written migration has no rollback."
    NOT_ADOPTED = "NOT_ADOPTED", "The database has tables, but no record of migrations."
    OTHER_MIGRATION = "OTHER_MIGRATION", "The database ran another migration under the name of one in the folder."
    PRAGMA_CHANGED = "PRAGMA_CHANGED", "The PRAGMAs of schema.yaml and manifest.json differ."
    STALE_ENUMS = "STALE_ENUMS", "A module that `enums` writes is missing or outdated."
    STALE_JSON_SCHEMA = "STALE_JSON_SCHEMA", "The JSON Schema that schema.yaml names is missing or outdated."
    STALE_MANIFEST = "STALE_MANIFEST", "manifest.json doesn't describe the files in the migrations folder."
    STALE_MODELS = "STALE_MODELS", "The module that `models` writes is missing or outdated."
    UNKNOWN_CHANGE = "UNKNOWN_CHANGE", "An unknown or changed migration made a change, or somebody made it by hand."
    UNKNOWN_MIGRATION = "UNKNOWN_MIGRATION", "The database has applied a migration that is not in the folder."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem that a command found, with its place and a way to correct it.

    Args:
        code: the kind of problem. Codes never change between releases.
        severity: how bad the problem is.
        subject: the part of the project or database.
        where: the name of the table, column, enum or file.
        what: the problem, in a sentence.
        fix: what to do, in a sentence; may be empty.
        file: the file to correct, relative to the project's folder; empty if no file needs a correction.
        line: the line, counted from 1; None if the finding is about the whole file.
        column: the column in the line, counted from 1.
    """

    code: str
    severity: Severity = Severity.ERROR
    subject: Subject
    where: str
    what: str
    fix: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.fix}".rstrip()


def schema_findings(
    changes: Iterable[Change],
    *,
    code: FindingCode,
    sentence: str,
    fix: str,
    describe_change: Callable[[Change], str] = describe,
    places: KeyPlaces | None = None,
) -> Iterator[Finding]:
    """Yield a finding with ``code`` and ``fix`` for each of ``changes``; ``places`` finds their lines in schema.yaml.

    ``sentence`` is the format of ``Finding.what``; ``{}`` becomes the description that ``describe_change`` returns.
    """
    subject = Subject.HOOK if code is FindingCode.HOOK_CHANGE else Subject.SCHEMA
    for change in changes:
        what = sentence.format(describe_change(change))
        finding = Finding(code=code, subject=subject, where=spelled_name(change), what=what, fix=fix)
        yield with_place(finding, None if places is None else places.find(key_path(change)))


def with_place(finding: Finding, place: Origin | Problem | None) -> Finding:
    """Return ``finding`` with the file, line and column of ``place``; unchanged if ``place`` is None."""
    return finding if place is None else replace(finding, file=place.file, line=place.line, column=place.column)


def failure_findings(failure: Failure) -> tuple[Finding, ...]:
    """Return a finding for each problem of ``failure``, or one if it lists none; the error's kind is the code."""
    code, subject = failure.kind, Subject.INPUT
    if not failure.problems:
        return (Finding(code=code, subject=subject, where=code, what=failure.message),)
    return tuple(
        with_place(Finding(code=code, subject=subject, where=one.path or one.file, what=one.what, fix=one.fix), one)
        for one in failure.problems
    )
