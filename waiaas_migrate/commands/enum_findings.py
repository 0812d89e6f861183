"""Report a changed enum value by value, instead of as a changed CHECK, for ``check``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject, with_place
from waiaas_migrate.files.schema_file.load_schema import EnumUse
from waiaas_migrate.schema.changes import Change, ModifyCheck
from waiaas_migrate.schema.names import fold

_MISSING = "value {!r} is in {}, but the migrations do not allow it in {}."
_REMOVED = "value {!r} is not in {}, but the migrations still allow it in {}."

#: A value that only schema.yaml or only the migrations allow: the enum's name, the message's format, and the value.
_Difference = tuple[str, str, str | int]


def enum_findings(
    changes: Sequence[Change], enums: Iterable[EnumUse], *, fix: str
) -> tuple[tuple[Finding, ...], tuple[Change, ...]]:
    """Return a finding for each enum value that ``changes`` add or remove, and the changes that are not about enums.

    Args:
        changes: the changes from the schema of the migrations to the schema of schema.yaml.
        enums: the enums that schema.yaml uses, each with the columns that use it.
        fix: the fix of the findings.
    """
    used = {use.name: use for use in enums}
    enum_of_column = {fold(column): use.name for use in used.values() for column in use.columns}
    columns: dict[_Difference, list[str]] = {}
    other_changes: list[Change] = []
    for change in changes:
        differences = _differences(change, enum_of_column)
        if not differences:
            other_changes.append(change)
        for difference, column in differences:
            columns.setdefault(difference, []).append(column)
    findings = []
    for (enum, message, value), names in columns.items():
        place = used[enum].definition.place_of(value)
        what = message.format(value, f"{place.file}:{place.line}" if place.line else place.file, ", ".join(names))
        finding = Finding(code=FindingCode.ENUM_CHANGED, subject=Subject.ENUM, where=enum, what=what, fix=fix)
        findings.append(with_place(finding, place))
    return tuple(findings), tuple(other_changes)


def _differences(change: Change, enum_of_column: dict[str, str]) -> list[tuple[_Difference, str]]:
    """Return the values that ``change`` adds to or removes from an enum's CHECK, each with the column's name."""
    if not isinstance(change, ModifyCheck):
        return []
    before, after = change.old.allowed, change.new.allowed
    if before is None or after is None or before.column != after.column:
        return []
    column = f"{change.table}.{after.column}"
    name = enum_of_column.get(fold(column))
    if name is None:
        return []
    missing = [((name, _MISSING, value), column) for value in after.values if value not in before.values]
    removed = [((name, _REMOVED, value), column) for value in before.values if value not in after.values]
    return [*missing, *removed]
