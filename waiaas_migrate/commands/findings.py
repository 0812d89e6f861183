"""Findings of ``check``, ``drift`` and ``lint``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from waiaas_migrate.errors import Failure
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.key_places import KeyPlaces, key_path
from waiaas_migrate.runner.mismatch import Mismatch
from waiaas_migrate.schema.changes import Change, spelled_name
from waiaas_migrate.schema.describe import describe


class Subject(StrEnum):
    """What a finding is about."""

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
    """Every kind of finding of ``check`` and ``drift``, with its explanation in ``docs/findings.md``."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Return the code ``value`` with its explanation."""
        code = str.__new__(cls, value)
        code._value_, code.explanation = value, explanation
        return code

    BROKEN_OBJECT = "BROKEN_OBJECT", "A view or trigger does not work, such as a view that reads a missing table."
    ENUM_CHANGED = "ENUM_CHANGED", "The application's enum and the list of values in the migrations differ."
    FAILING_ROLLBACK = "FAILING_ROLLBACK", "The rollback of a migration that was written by hand fails."
    HOOK_CHANGE = "HOOK_CHANGE", "An object differs from what the post-apply hooks make."
    INCOMPLETE_ROLLBACK = (
        "INCOMPLETE_ROLLBACK",
        "The rollback of a migration that was written by hand leaves a difference.",
    )
    MANUAL_CHANGE = "MANUAL_CHANGE", "The database has a change that no migration made."
    MISSING_MANIFEST = "MISSING_MANIFEST", "The migrations folder has no manifest.json."
    MISSING_MIGRATION = "MISSING_MIGRATION", "schema.yaml declares a change that no migration makes."
    MISSING_ROLLBACK = "MISSING_ROLLBACK", "A migration that was written by hand has no rollback."
    NOT_ADOPTED = "NOT_ADOPTED", "The database has tables, but no record of migrations."
    OTHER_MIGRATION = "OTHER_MIGRATION", "The database ran another migration under the name of one in the folder."
    PRAGMA_CHANGED = "PRAGMA_CHANGED", "The PRAGMAs of schema.yaml and manifest.json differ."
    STALE_ENUMS = "STALE_ENUMS", "A module that `enums` writes is missing or outdated."
    STALE_JSON_SCHEMA = (
        "STALE_JSON_SCHEMA",
        "The JSON Schema that schema.yaml names for editors is missing or outdated.",
    )
    STALE_MANIFEST = "STALE_MANIFEST", "manifest.json doesn't describe the files in the migrations folder."
    STALE_MODELS = "STALE_MODELS", "The module that `models` writes is missing or outdated."
    UNKNOWN_CHANGE = "UNKNOWN_CHANGE", "An unknown or changed migration made a change, or somebody made it by hand."
    UNKNOWN_MIGRATION = "UNKNOWN_MIGRATION", "The database has applied a migration that is not in the folder."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to correct.

    Args:
        code: its kind, which never changes between releases.
        severity: how bad it is.
        subject: what it is about.
        where: the table, column, enum or file.
        what: the problem, in a sentence.
        fix: what to do, in a sentence.
        file: the file to correct, relative to the project's folder; empty if there is none.
        line: from 1; None if it is about the whole file.
        column: from 1.
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


def mismatch_findings(mismatch: Mismatch | None) -> tuple[Finding, ...]:
    """Return a finding if a database didn't run the migrations of the folder."""
    if mismatch is None:
        return ()
    where, what = ", ".join(mismatch.migrations), f"the database {mismatch.what}"
    code = FindingCode.OTHER_MIGRATION
    return (Finding(code=code, subject=Subject.MIGRATION, where=where, what=what, fix=mismatch.fix),)


def schema_findings(
    changes: Iterable[Change],
    *,
    code: FindingCode,
    sentence: str,
    fix: str,
    words: Callable[[Change], str] = describe,
    places: KeyPlaces | None = None,
) -> tuple[Finding, ...]:
    """Return a finding for each of ``changes``, at its place in schema.yaml if ``places`` are given.

    ``sentence`` is the text of each finding; its ``{}`` stands for what ``words`` returns for the change.
    """
    subject = Subject.HOOK if code is FindingCode.HOOK_CHANGE else Subject.SCHEMA
    return tuple(
        placed(
            Finding(
                code=code, subject=subject, where=spelled_name(change), what=sentence.format(words(change)), fix=fix
            ),
            None if places is None else places.find(key_path(change)),
        )
        for change in changes
    )


def placed(finding: Finding, at: Origin | None) -> Finding:
    """Return ``finding`` with its place."""
    return finding if at is None else replace(finding, file=at.file, line=at.line, column=at.column)


def failure_findings(failure: Failure) -> tuple[Finding, ...]:
    """Return a finding for each problem of ``failure``, with the error's kind as its code."""
    subject = Subject.INPUT
    if not failure.problems:
        return (Finding(code=failure.kind, subject=subject, where=failure.kind, what=failure.message),)
    return tuple(
        Finding(
            code=failure.kind,
            subject=subject,
            where=problem.path or problem.file,
            what=problem.what,
            fix=problem.fix,
            file=problem.file,
            line=problem.line,
            column=problem.column,
        )
        for problem in failure.problems
    )
