"""Report changes of enums value by value, rather than as changed CHECKs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject, placed
from waiaas_migrate.files.schema_file.key_places import KeyPlaces
from waiaas_migrate.files.schema_file.load_schema import EnumUse
from waiaas_migrate.schema.changes import Change, ModifyCheck
from waiaas_migrate.schema.names import fold

_MISSING = "value {!r} is in the enum, but the migrations do not allow it in {}."
_REMOVED = "value {!r} is not in the enum, but the migrations still allow it in {}."

#: An enum, the message about a difference, and the value that differs.
_Difference = tuple[str, str, str | int]


def enum_findings(
    changes: Sequence[Change], enums: Iterable[EnumUse], places: KeyPlaces, *, fix: str
) -> tuple[tuple[Finding, ...], tuple[Change, ...]]:
    """Return a finding for each enum and value that ``changes`` add or remove, and the other changes.

    Args:
        changes: those that lead from the migrations to schema.yaml.
        enums: the enums that schema.yaml uses, with the columns that use each.
        places: the places of the keys in schema.yaml; a finding has that of the first column that uses the enum.
        fix: the fix of each finding.
    """
    owners = {fold(column): use.name for use in enums for column in use.columns}
    columns: dict[_Difference, list[tuple[str, str]]] = {}
    rest: list[Change] = []
    for change in changes:
        differences = _differences(change, owners)
        if not differences:
            rest.append(change)
        for difference, column in differences:
            columns.setdefault(difference, []).append(column)
    findings = []
    for (enum, saying, value), found in columns.items():
        what = saying.format(value, ", ".join(map(".".join, found)))
        finding = Finding(code=FindingCode.ENUM_CHANGED, subject=Subject.ENUM, where=enum, what=what, fix=fix)
        table, name = found[0]
        findings.append(placed(finding, places.find(("tables", table, "columns", name))))
    return tuple(findings), tuple(rest)


def _differences(change: Change, owners: dict[str, str]) -> list[tuple[_Difference, tuple[str, str]]]:
    """Return the differences in the values of an enum's CHECK, each with the table and the column."""
    if not isinstance(change, ModifyCheck):
        return []
    before, after = change.old.allowed, change.new.allowed
    if before is None or after is None or before.column != after.column:
        return []
    column = change.table, after.column
    name = owners.get(fold(".".join(column)))
    if name is None:
        return []
    missing = [((name, _MISSING, value), column) for value in after.values if value not in before.values]
    removed = [((name, _REMOVED, value), column) for value in before.values if value not in after.values]
    return [*missing, *removed]
