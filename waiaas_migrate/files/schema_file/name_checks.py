"""Check that names are unique: tables, views and indexes share a namespace, and triggers have another."""

from __future__ import annotations

from collections.abc import Iterable

from waiaas_migrate.files.problem_report import shown, suggestion
from waiaas_migrate.files.schema_file.objects import ReadObjects
from waiaas_migrate.files.schema_file.tables import ReadTable
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.names import fold


def check_names(tables: tuple[ReadTable, ...], objects: ReadObjects) -> None:
    """Report duplicate names, triggers on missing tables, and renames that can't work."""
    relations = [("table", read.table.name, read.at) for read in tables]
    relations += [named for named in objects.names if named[0] != "trigger"]
    indexes = [("index", getattr(key.key, "name", None) or "", key.at) for read in tables for key in read.indexes]
    _check_unique([*relations, *indexes])
    _check_unique(named for named in objects.names if named[0] == "trigger")
    owners = {fold(name): name for _, name, _ in relations}
    for trigger, value in objects.triggers:
        if fold(trigger.table) not in owners:
            fix = suggestion(trigger.table, owners.values(), "Correct the name, or add the table.")
            value.problem(f"the trigger is on `{shown(trigger.table)}`, which is not a table or view here.", fix)
    _check_renames((read.table.renamed_from, read.table.name, read.fields) for read in tables)
    for read in tables:
        _check_renames((one.column.hints.renamed_from, one.column.name, one.fields) for one in read.columns)


def _check_unique(named: Iterable[tuple[str, str, Value]]) -> None:
    seen: dict[str, tuple[str, Value]] = {}
    for kind, name, value in named:
        other, place = seen.setdefault(fold(name), (kind, value))
        if place is not value:
            line = place.key_origin.line
            what = f"the name `{shown(name)}` is already used by the {other} in line {line}; case is ignored."
            value.key_problem(what, f"Rename the {kind}.")


def _check_renames(renames: Iterable[tuple[str | None, str, dict[str, Value]]]) -> None:
    """Check the old and new names of tables, or of one table's columns."""
    seen: dict[str, str] = {}
    for old, new, fields in renames:
        if old is None:
            continue
        value = fields["renamed_from"]
        if fold(old) == fold(new):
            value.problem(f"`{shown(old)}` is the current name.", "Remove `renamed_from`.")
        if fold(old) in seen:
            value.problem(f"`{shown(old)}` is already renamed to `{shown(seen[fold(old)])}`.", "Keep one of the two.")
        seen.setdefault(fold(old), new)
