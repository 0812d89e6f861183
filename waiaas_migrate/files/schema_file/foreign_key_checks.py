"""Check that foreign keys refer to columns that exist and are unique."""

from __future__ import annotations

from collections.abc import Iterable

from waiaas_migrate.files.problem_report import listed, shown, suggestion
from waiaas_migrate.files.schema_file.constraints import ParsedForeignKey
from waiaas_migrate.files.schema_file.objects import ParsedObject
from waiaas_migrate.files.schema_file.tables import ParsedTable
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.foreign_keys import is_enforceable
from waiaas_migrate.schema.model import ForeignKey
from waiaas_migrate.schema.names import fold


def check_foreign_keys(tables: tuple[ParsedTable, ...], objects: tuple[ParsedObject, ...]) -> None:
    """Report foreign keys to missing or non-unique columns, unless ``external``."""
    parents = {fold(parsed.table.name): parsed for parsed in tables}
    object_kinds = {fold(name): kind for kind, name, _, _ in objects if kind != "trigger"}
    for parsed in tables:
        for foreign_key in parsed.foreign_keys:
            key = foreign_key.key
            report_unknown_columns(key.columns, foreign_key.at, parsed)
            if key.targets and len(key.targets) != len(key.columns):
                what = _count_mismatch(key, len(key.targets), "`references`")
                foreign_key.at.problem(what, "List the same number of columns in `columns` and `references`.")
            elif not foreign_key.external:
                _check_parent(foreign_key, parents, object_kinds)


def _check_parent(foreign_key: ParsedForeignKey, parents: dict[str, ParsedTable], object_kinds: dict[str, str]) -> None:
    key, at = foreign_key.key, foreign_key.at
    name, parent = shown(key.table), parents.get(fold(key.table))
    if parent is not None:
        if parent.columns:
            _check_targets(foreign_key, parent)
    elif fold(key.table) in object_kinds:
        what = f"`{name}` is a {object_kinds[fold(key.table)]}; a foreign key can refer only to a table."
        at.problem(what, "Name a table.")
    else:
        known = suggestion(key.table, [parsed.table.name for parsed in parents.values()])
        external = f"If it is not part of this file, write {_external_reference(key)}."
        at.problem(f"there is no table `{name}`.", f"{known} {external}".strip())


def report_unknown_columns(names: Iterable[str], at: Value, parsed: ParsedTable) -> bool:
    """Report each of ``names`` that the table lacks; return whether it lacks any."""
    unknown = [name for name in names if parsed.columns and parsed.column(name) is None]
    known = [column.column.name for column in parsed.columns]
    for name in unknown:
        fix = suggestion(name, known, f"Known columns: {listed(known[:12])}.")
        at.problem(f"the table `{shown(parsed.table.name)}` has no column `{shown(name)}`.", fix)
    return bool(unknown)


def _check_targets(foreign_key: ParsedForeignKey, parent: ParsedTable) -> None:
    key, at, name = foreign_key.key, foreign_key.at, shown(parent.table.name)
    if report_unknown_columns(key.targets, at, parent) or is_enforceable(parent.table, key):
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
