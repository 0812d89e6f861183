"""Check schema.yaml for declarations that SQLite would refuse, and for contradictory keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from waiaas_migrate.files.problem_report import listed, shown, suggestion
from waiaas_migrate.files.schema_file.columns import ParsedColumn
from waiaas_migrate.files.schema_file.constraints import ParsedForeignKey, ParsedKey
from waiaas_migrate.files.schema_file.objects import ParsedObject
from waiaas_migrate.files.schema_file.tables import ParsedTable
from waiaas_migrate.files.schema_file.value_kinds import STRICT_TYPES
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.foreign_keys import is_enforceable
from waiaas_migrate.schema.model import ForeignKey, PrimaryKey, Trigger
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_column
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name

#: The keys of a column that may contradict other keys. Columns without these keys need no checks.
_CHECKED = frozenset({"default", "enum", "generated"})


def check_schema(tables: tuple[ParsedTable, ...], objects: tuple[ParsedObject, ...]) -> None:
    """Report declarations that SQLite would refuse, and keys that contradict each other."""
    _check_names(tables, objects)
    for parsed in tables:
        keys: list[ParsedKey[Any]] = [*parsed.primary_keys, *parsed.uniques, *parsed.indexes]
        for key, at, _ in keys:
            _report_unknown_columns((part.column for part in key.parts if part.column is not None), at, parsed)
        _check_primary_key(parsed)
        if parsed.table.strict:
            _check_strict_types(parsed)
        for column in parsed.columns:
            if not _CHECKED.isdisjoint(column.fields):
                if "generated" in column.fields:
                    _check_generated(column)
                _check_default(column)
                _check_enum(column)
    _check_class_names(tables)
    _check_foreign_keys(tables, objects)


def _check_class_names(tables: tuple[ParsedTable, ...]) -> None:
    seen: dict[str, ParsedTable] = {}
    for parsed in tables:
        name = parsed.table.class_name
        if name is not None and (first := seen.setdefault(name, parsed)) is not parsed:
            what = f"the table `{shown(first.table.name)}` already has this class."
            parsed.fields["class"].problem(what, "Choose another name.")


def _check_primary_key(parsed: ParsedTable) -> None:
    for extra in parsed.primary_keys[1:]:
        line = parsed.primary_keys[0].at.key_origin.line
        fix = "Keep one. Write a key of several columns on the table: `primary_key: [a, b]`."
        extra.at.key_problem(f"the table already has a primary key, in line {line}.", fix)
    for found in parsed.primary_keys:
        if found.key.autoincrement:
            _check_autoincrement(found.key, found.at, parsed)
    if parsed.table.without_rowid and not parsed.primary_keys:
        fix = "Add `primary_key`, or remove `without_rowid`."
        parsed.fields["without_rowid"].key_problem("a WITHOUT ROWID table requires a primary key.", fix)


def _check_autoincrement(key: PrimaryKey, at: Value, parsed: ParsedTable) -> None:
    first = key.parts[0]
    if first.column is not None and parsed.column(first.column) is None:
        return
    # Only an alias of the rowid can have AUTOINCREMENT (https://www.sqlite.org/autoinc.html).
    if rowid_column(replace(parsed.table, primary_key=key, without_rowid=False)) is None:
        what = "`autoincrement` requires a primary key of one ascending column of type INTEGER."
        at.key_problem(what, "Write `{type: integer, primary_key: true, autoincrement: true}`.")
    elif parsed.table.without_rowid:
        fix = "Remove `autoincrement` or `without_rowid`."
        at.key_problem("a WITHOUT ROWID table can't have `autoincrement`.", fix)


def _check_strict_types(parsed: ParsedTable) -> None:
    for column in parsed.columns:
        declared = column.column.type
        if "type" in column.fields and declared is None and not column.fields["type"].is_null:
            continue  # The type can't be read, which is reported already.
        if (declared or "").upper() not in STRICT_TYPES:
            value = column.fields.get("type", column.at)
            what = "a column of a STRICT table requires a type."
            if declared:
                what = f"a STRICT table can't have the type `{shown(declared)}`."
            value.problem(what, f"Write one of {listed(sorted(name.lower() for name in STRICT_TYPES))}.")


def _check_generated(column: ParsedColumn) -> None:
    refused = dict.fromkeys(("default", "default_sql"), "have a default")
    if column.primary_key is not None:
        refused["primary_key"] = "be the primary key"
    for key in refused.keys() & column.fields.keys():
        column.fields[key].key_problem(f"a generated column can't {refused[key]}.", f"Remove `{key}` or `generated`.")


def _check_default(column: ParsedColumn) -> None:
    value = column.fields.get("default")
    if value is None or (default := value.scalar) is None:
        return
    if column.is_boolean and default not in (0, 1):
        what = f"the default of a boolean must be true or false, not {_shown(default)}."
        value.problem(what, "Write `true` or `false`.")
    # In Python and in SQL, true equals 1, so `default: true` fits an enum of 0 and 1.
    if column.enum is not None and default not in column.enum.values:
        name = f"`{column.enum.definition.name}`" if column.enum.definition is not None else "the enum"
        fix = _value_fix(default, column.enum.values)
        value.problem(f"the default {_shown(default)} is not a value of {name}.", fix)


def _shown(value: object) -> str:
    return shown(repr(value))


def _value_fix(value: object, values: Iterable[str | int]) -> str:
    known = [str(allowed) for allowed in values]
    return suggestion(str(value), known, f"Its values are {listed(known)}.")


def _check_enum(column: ParsedColumn) -> None:
    if column.is_boolean and "enum" in column.fields:
        fix = "Remove `enum`, or use another type."
        column.fields["enum"].key_problem("a boolean can't have an enum: its values are 0 and 1.", fix)
    if column.enum is None or "enum_values" not in column.fields:
        return
    for what, fix in _replacement_problems(column, column.enum.values):
        column.fields["enum_values"].problem(what, fix)


def _replacement_problems(column: ParsedColumn, values: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    """Yield each problem with the column's ``enum_values``, and its fix."""
    renamed, removed = column.column.hints.renamed_values, column.column.hints.removed_values
    new_values = {new for _, new in renamed}
    if swapped := [old for old, _ in renamed if old in values and old in new_values]:
        # The schema doesn't show whether the values in rows have been swapped already.
        name = quote_name(column.column.name)
        cases = " ".join(f"WHEN {quote_literal(old)} THEN {quote_literal(new)}" for old, new in renamed)
        fix = f"Write a migration by hand with `UPDATE … SET {name} = CASE {name} {cases} ELSE {name} END`."
        yield f"renamed: {', '.join(map(_shown, swapped))} can't be both an old and a new value.", fix
        return
    for group, pairs in (("renamed", renamed), ("removed", removed)):
        for old, new in pairs:
            if old in values:
                fix = "Remove it from the enum, or from `enum_values`."
                yield f"{group}: {_shown(old)} is still a value of the enum.", fix
            elif new is None and column.column.not_null is not None:
                yield f"{group}: the column is NOT NULL, so NULL can't replace a value.", "Write a value."
            elif new is not None and new not in values:
                yield f"{group}: {_shown(new)} is not a value of the enum.", _value_fix(new, values)
    for old in {old for old, _ in renamed} & {old for old, _ in removed}:
        yield f"{_shown(old)} is both renamed and removed.", "Keep one of the two."


def _check_names(tables: tuple[ParsedTable, ...], objects: tuple[ParsedObject, ...]) -> None:
    """Report duplicate names, triggers on missing tables, and impossible renames."""
    relations = [("table", parsed.table.name, parsed.at) for parsed in tables]
    relations += [(kind, name, at) for kind, name, at, _ in objects if kind != "trigger"]
    indexes = [("index", index.key.name, index.at) for parsed in tables for index in parsed.indexes]
    _check_unique_names([*relations, *indexes])
    _check_unique_names((kind, name, at) for kind, name, at, _ in objects if kind == "trigger")
    owners = {fold(name): name for _, name, _ in relations}
    for _, _, at, item in objects:
        if isinstance(item, Trigger) and fold(item.table) not in owners:
            fix = suggestion(item.table, owners.values(), "Correct the name, or add the table.")
            at.problem(f"the trigger is on `{shown(item.table)}`, which is not a table or view here.", fix)
    _check_renames((parsed.table.renamed_from, parsed.table.name, parsed.fields) for parsed in tables)
    for parsed in tables:
        _check_renames(
            (column.column.hints.renamed_from, column.column.name, column.fields) for column in parsed.columns
        )


def _check_unique_names(named: Iterable[tuple[str, str, Value]]) -> None:
    seen: dict[str, tuple[str, Value]] = {}
    for kind, name, value in named:
        first_kind, first = seen.setdefault(fold(name), (kind, value))
        if first is not value:
            line = first.key_origin.line
            what = f"the name `{shown(name)}` is already used by the {first_kind} in line {line}; case is ignored."
            value.key_problem(what, f"Rename the {kind}.")


def _check_renames(renames: Iterable[tuple[str | None, str, dict[str, Value]]]) -> None:
    seen: dict[str, str] = {}
    for old, new, fields in renames:
        if old is None:
            continue
        value = fields["renamed_from"]
        if old == new:
            value.problem(f"`{shown(old)}` is the current name.", "Remove `renamed_from`.")
        if fold(old) in seen:
            value.problem(f"`{shown(old)}` is already renamed to `{shown(seen[fold(old)])}`.", "Keep one of the two.")
        seen.setdefault(fold(old), new)


def _check_foreign_keys(tables: tuple[ParsedTable, ...], objects: tuple[ParsedObject, ...]) -> None:
    parents = {fold(parsed.table.name): parsed for parsed in tables}
    object_kinds = {fold(name): kind for kind, name, _, _ in objects if kind != "trigger"}
    for parsed in tables:
        for foreign_key in parsed.foreign_keys:
            key = foreign_key.key
            _report_unknown_columns(key.columns, foreign_key.at, parsed)
            if key.targets and len(key.targets) != len(key.columns):
                what = _count_mismatch(key, len(key.targets), "`references`")
                foreign_key.at.problem(what, "List the same number of columns in `columns` and `references`.")
            elif not foreign_key.external:
                _check_parent(foreign_key, parents, object_kinds)


def _check_parent(foreign_key: ParsedForeignKey, parents: dict[str, ParsedTable], object_kinds: dict[str, str]) -> None:
    key, at = foreign_key.key, foreign_key.at
    name, parent = shown(key.table), parents.get(fold(key.table))
    if parent is not None:
        _check_targets(foreign_key, parent)
    elif fold(key.table) in object_kinds:
        what = f"`{name}` is a {object_kinds[fold(key.table)]}; a foreign key can refer only to a table."
        at.problem(what, "Name a table.")
    else:
        known = suggestion(key.table, [parsed.table.name for parsed in parents.values()])
        external = f"If it is not part of this file, write {_external_reference(key)}."
        at.problem(f"there is no table `{name}`.", f"{known} {external}".strip())


def _report_unknown_columns(names: Iterable[str], at: Value, parsed: ParsedTable) -> bool:
    """Report each of ``names`` that the table lacks; return whether it lacks any."""
    unknown = [name for name in names if parsed.columns and parsed.column(name) is None]
    known = [column.column.name for column in parsed.columns]
    for name in unknown:
        fix = suggestion(name, known, f"Known columns: {listed(known[:12])}.")
        at.problem(f"the table `{shown(parsed.table.name)}` has no column `{shown(name)}`.", fix)
    return bool(unknown)


def _check_targets(foreign_key: ParsedForeignKey, parent: ParsedTable) -> None:
    key, at, name = foreign_key.key, foreign_key.at, shown(parent.table.name)
    if not parent.columns or _report_unknown_columns(key.targets, at, parent) or is_enforceable(parent.table, key):
        return
    primary = parent.table.primary_key
    if key.targets:
        at.problem(
            f"`{name}` has no unique key on {listed(key.targets)}, so SQLite would refuse every change.",
            f"Make it the primary key, `unique`, or a unique index of `{name}`, or write {_external_reference(key)}.",
        )
    elif primary is None:
        at.problem(f"the table `{name}` has no primary key to refer to.", "Name a column: `table.column`.")
    else:
        what = _count_mismatch(key, len(primary.parts), f"the primary key of `{name}`")
        at.problem(what, "Name the columns in `references`.")


def _external_reference(key: ForeignKey) -> str:
    """Return the YAML of ``references`` that skips the check of a key's parent."""
    targets = f", columns: [{', '.join(key.targets)}]" if key.targets else ""
    return f"`references: {{table: {shown(key.table)}{targets}, external: true}}`"


def _count_mismatch(key: ForeignKey, number: int, where: str) -> str:
    return f"the numbers of columns differ: {len(key.columns)} here, {number} in {where}."
