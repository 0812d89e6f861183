"""Findings, as every check gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from waiaas_migrate.files.schema_file.load_schema import EnumUse
from waiaas_migrate.schema.changes import Change, ModifyCheck, spelled_name
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.names import fold


class Subject(StrEnum):
    """What a finding is about."""

    ENUM = "enum"
    SCHEMA = "schema"
    MANIFEST = "manifest"
    PRAGMA = "pragma"
    MIGRATION = "migration"
    HOOK = "hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not agree: what it is about, where, what differs, and what to do."""

    subject: Subject
    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" {self.fix}" if self.fix else "")


def enum_findings(
    changes: Sequence[Change], enums: Iterable[EnumUse], *, lacking: str, fix: str
) -> tuple[tuple[Finding, ...], tuple[Change, ...]]:
    """What ``changes`` say about enums, by enum and value, and the changes that say anything else.

    Args:
        changes: from what is there to what schema.yaml declares.
        enums: the enums that schema.yaml uses, with the columns that use each.
        lacking: who does not know a value yet, such as "the migrations".
        fix: what to do about it.
    """
    owners = {fold(column): use.name for use in enums for column in use.columns}
    found: dict[tuple[str, str, str | int], list[str]] = {}
    rest: list[Change] = []
    for change in changes:
        shifts = _shifts(change, owners)
        if not shifts:
            rest.append(change)
        for shift, column in shifts:
            found.setdefault(shift, []).append(column)
    findings = tuple(
        Finding(
            subject=Subject.ENUM,
            where=name,
            what=_VALUE_SAYINGS[shift].format(value=value, lacking=lacking, columns=", ".join(columns)),
            fix=fix,
        )
        for (name, shift, value), columns in found.items()
    )
    return findings, tuple(rest)


_VALUE_SAYINGS = {
    "added": "value {value!r} is in the enum, but {lacking} do not allow it in {columns}.",
    "removed": "value {value!r} is no longer in the enum, but {lacking} still allow it in {columns}.",
    "order": "the values stand in another order than {lacking} have them in {columns}.",
}


def _shifts(change: Change, owners: dict[str, str]) -> list[tuple[tuple[str, str, str | int], str]]:
    """Each value that came or went in an enum's CHECK, with the column; empty for any other change."""
    if not isinstance(change, ModifyCheck):
        return []
    before, after = change.old.allowed, change.new.allowed
    if before is None or after is None or before.column != after.column or before.nullable != after.nullable:
        return []
    column = f"{change.table}.{after.column}"
    name = owners.get(fold(column))
    if name is None:
        return []
    came = [value for value in after.values if value not in before.values]
    went = [value for value in before.values if value not in after.values]
    shifts = [((name, "added", value), column) for value in came] + [((name, "removed", v), column) for v in went]
    return shifts or [((name, "order", ""), column)]


def schema_findings(
    changes: Iterable[Change], *, saying: str, fix: str, subject: Subject = Subject.SCHEMA
) -> tuple[Finding, ...]:
    """Each of ``changes`` as a finding, in words; ``saying`` has a ``{}`` for them."""
    return tuple(
        Finding(subject=subject, where=spelled_name(change), what=saying.format(describe(change)), fix=fix)
        for change in changes
    )
