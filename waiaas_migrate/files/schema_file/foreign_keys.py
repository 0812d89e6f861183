"""Whether what a foreign key refers to is there, and is unique (https://www.sqlite.org/foreignkeys.html#fk_indexes)."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.files.problem_report import listed, shown, suggestion
from waiaas_migrate.files.schema_file.constraints import ReadForeignKey
from waiaas_migrate.files.schema_file.objects import ReadObjects
from waiaas_migrate.files.schema_file.tables import ReadTable
from waiaas_migrate.schema.model import ForeignKey, IndexPart, Table
from waiaas_migrate.schema.names import fold


def check_foreign_keys(tables: tuple[ReadTable, ...], objects: ReadObjects) -> None:
    """Note foreign keys whose parent is missing or not unique, except those that say ``external: true``."""
    parents = {fold(read.table.name): read for read in tables}
    others = {fold(name): kind for kind, name, _ in objects.names if kind != "trigger"}
    for read in tables:
        for foreign_key in read.foreign_keys:
            key = foreign_key.key
            if key.targets and len(key.targets) != len(key.columns):
                what = f"{_count(len(key.columns))} refer to {_count(len(key.targets))}."
                foreign_key.at.problem(what, "Name as many in `references` as in `columns`.")
            elif not foreign_key.external:
                _check_parent(foreign_key, parents, others)


def _check_parent(foreign_key: ReadForeignKey, parents: dict[str, ReadTable], others: dict[str, str]) -> None:
    key, at = foreign_key.key, foreign_key.at
    parent = parents.get(fold(key.table))
    if parent is not None:
        if parent.columns:
            _check_targets(foreign_key, parent)
        return
    if fold(key.table) in others:
        what = f"`{shown(key.table)}` is a {others[fold(key.table)]}; SQLite refers to tables only."
        at.problem(what, "Name a table.")
        return
    known = suggestion(key.table, [read.table.name for read in parents.values()])
    external = f"{_external(key)} where it is not part of this file."
    at.problem(
        f"there is no table `{shown(key.table)}`.", f"{known} Write {external}" if known else f"Write {external}"
    )


def _check_targets(foreign_key: ReadForeignKey, parent: ReadTable) -> None:
    key, at, name = foreign_key.key, foreign_key.at, shown(parent.table.name)
    unknown = [target for target in key.targets if parent.column(target) is None]
    for target in unknown:
        known = [column.column.name for column in parent.columns]
        at.problem(
            f"the table `{name}` has no column `{shown(target)}`.",
            suggestion(target, known, f"Known are {listed(known[:12])}."),
        )
    if unknown:
        return
    primary = parent.table.primary_key
    if not key.targets:
        if primary is None:
            at.problem(f"the table `{name}` has no primary key to refer to.", "Name a column: `table.column`.")
        elif len(primary.parts) != len(key.columns):
            what = f"{_count(len(key.columns))} cannot refer to the primary key of `{name}`, which has"
            at.problem(f"{what} {len(primary.parts)}.", "Name the columns in `references`.")
        return
    if not _is_unique({fold(target) for target in key.targets}, parent.table):
        what = (
            f"{listed(key.targets)} of `{name}` {'is' if len(key.targets) == 1 else 'are together'} not unique there,"
        )
        at.problem(
            f"{what} so SQLite would refuse every change.",
            f"Make it the primary key, `unique`, or a unique index of `{name}`, or write {_external(key)}.",
        )


def refers_to_key(key: ForeignKey, parent: Table) -> bool:
    """Whether what ``key`` refers to is there in ``parent``, and is unique."""
    if not key.targets:
        return parent.primary_key is not None and len(parent.primary_key.parts) == len(key.columns)
    columns = {fold(column.name) for column in parent.columns}
    wanted = {fold(target) for target in key.targets}
    return wanted <= columns and _is_unique(wanted, parent)


def _is_unique(wanted: set[str], table: Table) -> bool:
    return any(wanted == {fold(column) for column in columns} for columns in _unique_columns(table))


def _unique_columns(table: Table) -> Iterator[tuple[str, ...]]:
    """The columns of each key of a table that a foreign key may refer to."""
    keys: list[tuple[IndexPart, ...]] = [unique.parts for unique in table.uniques]
    if table.primary_key is not None:
        keys.append(table.primary_key.parts)
    keys += [index.parts for index in table.indexes if index.unique and index.where is None]
    for parts in keys:
        if all(_has_own_collation(part, table) for part in parts):
            yield tuple(part.column for part in parts if part.column is not None)


def _has_own_collation(part: IndexPart, table: Table) -> bool:
    """Whether a part is a column in the column's own collation; no other counts as a parent key."""
    name = fold(part.column) if part.column is not None else None
    column = next((column for column in table.columns if fold(column.name) == name), None)
    if column is None:
        return False
    return part.collation is None or fold(part.collation) == fold(column.collation or "BINARY")


def _external(key: ForeignKey) -> str:
    targets = f", columns: [{', '.join(key.targets)}]" if key.targets else ""
    return f"`references: {{table: {shown(key.table)}{targets}, external: true}}`"


def _count(number: int) -> str:
    return f"{number} column" if number == 1 else f"{number} columns"
