"""Findings of ``check`` and ``drift``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A difference: its subject, its place, what differs, and the fix."""

    subject: Subject
    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.fix}".rstrip()


def mismatch_findings(mismatch: Mismatch | None) -> tuple[Finding, ...]:
    """Return a finding if a database didn't run the migrations of the folder."""
    if mismatch is None:
        return ()
    where = ", ".join(mismatch.migrations)
    return (Finding(subject=Subject.MIGRATION, where=where, what=f"the database {mismatch.what}", fix=mismatch.fix),)


def schema_findings(
    changes: Iterable[Change],
    *,
    saying: str,
    fix: str,
    subject: Subject = Subject.SCHEMA,
    words: Callable[[Change], str] = describe,
) -> tuple[Finding, ...]:
    """Return a finding for each of ``changes``; ``saying`` is a sentence with ``{}`` for the change in ``words``."""
    return tuple(
        Finding(subject=subject, where=spelled_name(change), what=saying.format(words(change)), fix=fix)
        for change in changes
    )
