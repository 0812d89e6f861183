"""Report changes of enums value by value, rather than as changed CHECKs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject, placed
from waiaas_migrate.files.schema_file.load_schema import EnumUse
from waiaas_migrate.schema.changes import Change, ModifyCheck
from waiaas_migrate.schema.names import fold

_MISSING = "value {!r} is in {}, but the migrations do not allow it in {}."
_REMOVED = "value {!r} is not in {}, but the migrations still allow it in {}."

#: An enum, the message about a difference, and the value that differs.
_Difference = tuple[str, str, str | int]


def enum_findings(
    changes: Sequence[Change], enums: Iterable[EnumUse], *, fix: str
) -> tuple[tuple[Finding, ...], tuple[Change, ...]]:
    """Return a finding for each enum and value that ``changes`` add or remove, at its place, and the other changes.

    Args:
        changes: those that lead from the migrations to schema.yaml.
        enums: the enums that schema.yaml uses, with the columns that use each.
        fix: the fix of each finding.
    """
    used = {use.name: use for use in enums}
    owners = {fold(column): use.name for use in used.values() for column in use.columns}
    columns: dict[_Difference, list[str]] = {}
    rest: list[Change] = []
    for change in changes:
        differences = _differences(change, owners)
        if not differences:
            rest.append(change)
        for difference, column in differences:
            columns.setdefault(difference, []).append(column)
    findings = []
    for (enum, saying, value), found in columns.items():
        at = used[enum].definition.place_of(value)
        what = saying.format(value, f"{at.file}:{at.line}" if at.line else at.file, ", ".join(found))
        finding = Finding(code=FindingCode.ENUM_CHANGED, subject=Subject.ENUM, where=enum, what=what, fix=fix)
        findings.append(placed(finding, at))
    return tuple(findings), tuple(rest)


def _differences(change: Change, owners: dict[str, str]) -> list[tuple[_Difference, str]]:
    """Return the differences in the values of an enum's CHECK, each with the column."""
    if not isinstance(change, ModifyCheck):
        return []
    before, after = change.old.allowed, change.new.allowed
    if before is None or after is None or before.column != after.column:
        return []
    column = f"{change.table}.{after.column}"
    name = owners.get(fold(column))
    if name is None:
        return []
    missing = [((name, _MISSING, value), column) for value in after.values if value not in before.values]
    removed = [((name, _REMOVED, value), column) for value in before.values if value not in after.values]
    return [*missing, *removed]
