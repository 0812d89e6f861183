"""Check that the foreign keys of schema.yaml refer to columns that exist and are unique."""

from __future__ import annotations

from waiaas_migrate.files.problem_report import listed, shown, suggestion
from waiaas_migrate.files.schema_file.constraints import ReadForeignKey
from waiaas_migrate.files.schema_file.objects import ReadObjects
from waiaas_migrate.files.schema_file.tables import ReadTable
from waiaas_migrate.schema.foreign_keys import is_enforceable
from waiaas_migrate.schema.model import ForeignKey
from waiaas_migrate.schema.names import fold


def check_foreign_keys(tables: tuple[ReadTable, ...], objects: ReadObjects) -> None:
    """Report foreign keys without a unique parent, unless they are ``external``."""
    parents = {fold(read.table.name): read for read in tables}
    others = {fold(name): kind for kind, name, _ in objects.names if kind != "trigger"}
    for read in tables:
        for foreign_key in read.foreign_keys:
            key = foreign_key.key
            if key.targets and len(key.targets) != len(key.columns):
                what = f"{_refer(len(key.columns))} to {_count(len(key.targets))}."
                foreign_key.at.problem(what, "List the same number of columns in `columns` and `references`.")
            elif not foreign_key.external:
                _check_parent(foreign_key, parents, others)


def _check_parent(foreign_key: ReadForeignKey, parents: dict[str, ReadTable], others: dict[str, str]) -> None:
    key, at = foreign_key.key, foreign_key.at
    name, parent = shown(key.table), parents.get(fold(key.table))
    if parent is not None:
        if parent.columns:
            _check_targets(foreign_key, parent)
    elif fold(key.table) in others:
        at.problem(
            f"`{name}` is a {others[fold(key.table)]}; a foreign key can refer only to a table.", "Name a table."
        )
    else:
        known = suggestion(key.table, [read.table.name for read in parents.values()])
        external = f"If it is not part of this file, write {_external(key)}."
        at.problem(f"there is no table `{name}`.", f"{known} {external}".strip())


def _check_targets(foreign_key: ReadForeignKey, parent: ReadTable) -> None:
    key, at, name = foreign_key.key, foreign_key.at, shown(parent.table.name)
    unknown = [target for target in key.targets if parent.column(target) is None]
    names = [column.column.name for column in parent.columns]
    for target in unknown:
        fix = suggestion(target, names, f"Known columns: {listed(names[:12])}.")
        at.problem(f"the table `{name}` has no column `{shown(target)}`.", fix)
    if unknown or is_enforceable(parent.table, key):
        return
    primary = parent.table.primary_key
    if key.targets:
        at.problem(
            f"`{name}` has no unique key on {listed(key.targets)}, so SQLite would refuse every change.",
            f"Make it the primary key, `unique`, or a unique index of `{name}`, or write {_external(key)}.",
        )
    elif primary is None:
        at.problem(f"the table `{name}` has no primary key to refer to.", "Name a column: `table.column`.")
    else:
        what = f"{_refer(len(key.columns))} to the primary key of `{name}`: {_count(len(primary.parts))}."
        at.problem(what, "Name the columns in `references`.")


def _external(key: ForeignKey) -> str:
    targets = f", columns: [{', '.join(key.targets)}]" if key.targets else ""
    return f"`references: {{table: {shown(key.table)}{targets}, external: true}}`"


def _refer(columns: int) -> str:
    return f"{_count(columns)} {'refers' if columns == 1 else 'refer'}"


def _count(number: int) -> str:
    return f"{number} column" if number == 1 else f"{number} columns"
