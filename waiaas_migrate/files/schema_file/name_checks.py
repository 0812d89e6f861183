"""Names that clash: SQLite keeps tables, views and indexes under one roof, and triggers under another."""

from __future__ import annotations

from collections.abc import Iterable

from waiaas_migrate.files.problem_report import shown, suggestion
from waiaas_migrate.files.schema_file.objects import ReadObjects
from waiaas_migrate.files.schema_file.tables import ReadTable
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.names import fold


def check_names(tables: tuple[ReadTable, ...], objects: ReadObjects) -> None:
    """Note names that are taken, triggers on nothing, and renames that cannot be meant."""
    shared = [("table", read.table.name, read.at) for read in tables]
    shared += [named for named in objects.names if named[0] != "trigger"]
    owners = {fold(name): name for _, name, _ in shared}
    shared += [("index", name, value) for read in tables for name, value in _index_names(read)]
    _check_taken(shared)
    _check_taken(named for named in objects.names if named[0] == "trigger")
    for trigger, value in objects.triggers:
        if fold(trigger.table) not in owners:
            fix = suggestion(trigger.table, owners.values(), "Correct the name, or add the table.")
            value.problem(f"the trigger is on `{shown(trigger.table)}`, which is no table or view here.", fix)
    _check_table_renames(tables)
    for read in tables:
        _check_column_renames(read)


def _index_names(read: ReadTable) -> list[tuple[str, Value]]:
    return [(getattr(key.key, "name", None) or "", key.at) for key in read.indexes]


def _check_taken(named: Iterable[tuple[str, str, Value]]) -> None:
    seen: dict[str, tuple[str, Value]] = {}
    for kind, name, value in named:
        if fold(name) not in seen:
            seen[fold(name)] = (kind, value)
            continue
        other, place = seen[fold(name)]
        value.key_problem(
            f"the name `{shown(name)}` is taken by the {other} in line {place.key.position.line}; "
            f"SQLite compares names without case.",
            f"Give the {kind} another name.",
        )


def _check_table_renames(tables: tuple[ReadTable, ...]) -> None:
    seen: dict[str, str] = {}
    for read in tables:
        old, value = read.table.renamed_from, read.fields.get("renamed_from")
        if old is None or value is None:
            continue
        if fold(old) == fold(read.table.name):
            value.problem(f"`{shown(old)}` is its own name.", "Take this line away.")
        _check_claimed(seen, old, read.table.name, value)


def _check_column_renames(read: ReadTable) -> None:
    seen: dict[str, str] = {}
    for column in read.columns:
        old, value = column.column.hints.renamed_from, column.fields.get("renamed_from")
        if old is None or value is None:
            continue
        if fold(old) == fold(column.column.name):
            value.problem(f"`{shown(old)}` is its own name.", "Take this line away.")
        _check_claimed(seen, old, column.column.name, value)


def _check_claimed(seen: dict[str, str], old: str, new: str, value: Value) -> None:
    if fold(old) in seen:
        fix = "Keep one of the two."
        value.problem(f"`{shown(old)}` is already renamed to `{shown(seen[fold(old)])}`.", fix)
    seen.setdefault(fold(old), new)
