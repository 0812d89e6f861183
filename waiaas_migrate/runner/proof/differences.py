"""Compare a database's schema with the one that migrations make: first by text; if the texts differ, by meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from waiaas_migrate.errors import MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.schema.changes import Change, DropColumn, DropObject, DropTable, ModifyTableOptions
from waiaas_migrate.schema.model import Table, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.reading.ownership import OtherTools

#: The number of items of a list that a message shows.
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference between a database and the schema that the migrations make.

    Args:
        subject: the kind and the folded name of the object.
        table: the folded name of the object's table; None for an object without a table.
        where: the name of the table, view or trigger, to show to the user.
        words: a description of the difference.
        detail: compared, besides ``subject`` and ``table``, to decide whether two differences are the same.
        is_extra: whether the object is a table or view that no migration makes.
        missing: the table or column that a migration makes and the database lacks.
    """

    subject: tuple[str, str]
    table: str | None
    where: str = field(compare=False)
    words: str = field(compare=False)
    detail: object
    is_extra: bool = field(default=False, compare=False)
    missing: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.words


def differences(
    connection: sqlite3.Connection, migrations: Sequence[MigrationFile], folder: MigrationFolder
) -> list[Difference]:
    """Return the differences in meaning between the database and the schema that ``migrations`` make.

    If the texts differ, both schemas are parsed and compared by meaning. Texts may differ because another application
    wrote the definitions, or another version of SQLite renamed a table. If a schema can't be parsed, every difference
    in the texts counts. Objects that the post-apply hooks of ``folder`` make are ignored: an earlier run may have left
    them, and the hooks may have been edited since.
    """
    with Replay(migrations) as replay:
        found = _compare(connection, replay.run(migrations).connection, folder.other_tools)
    hook_subjects = made_by_hooks(folder) if found else frozenset()
    return [difference for difference in found if difference.subject not in hook_subjects]


def matching_migrations(connection: sqlite3.Connection, folder: MigrationFolder) -> tuple[str, ...]:
    """Return the ids of the migrations after which the schema equals the database's schema, latest first.

    There may be several, since some migrations change only rows.
    """
    hook_subjects = made_by_hooks(folder)
    found: list[str] = []
    with Replay(folder.migrations) as replay:
        for number, migration in enumerate(folder.migrations, 1):
            made = replay.run(folder.migrations[:number]).connection
            if all(one.subject in hook_subjects for one in _compare(connection, made, folder.other_tools)):
                found.append(migration.id)
    return tuple(found[::-1])


def made_by_hooks(folder: MigrationFolder) -> frozenset[tuple[str, str]]:
    """Return the kinds and folded names of the objects that the post-apply hooks change; none if a hook fails."""
    if not folder.post_apply:
        return frozenset()
    files = (*folder.migrations, *folder.post_apply)
    with Replay(folder.migrations) as replay, Replay(files) as hooked:
        try:
            made = _compare(hooked.run(files).connection, replay.run(folder.migrations).connection, OtherTools())
        except MigrateError:  # the hooks may need objects that no migration makes
            return frozenset()
    return frozenset(difference.subject for difference in made)


def _compare(connection: sqlite3.Connection, wanted: sqlite3.Connection, others: OtherTools) -> list[Difference]:
    wanted_rows = read_catalog(wanted)
    others = others.with_declared(row.name for row in wanted_rows)
    by_text = _compare_texts(others.exclude_from(read_catalog(connection)), wanted_rows)
    by_meaning = _compare_meaning(connection, wanted, others) if by_text else None
    return by_text if by_meaning is None else by_meaning


def _compare_meaning(
    connection: sqlite3.Connection, wanted: sqlite3.Connection, others: OtherTools
) -> list[Difference] | None:
    """Return the differences in meaning; None if one of the schemas can't be parsed."""
    from waiaas_migrate.schema.changes import is_addition, object_of, owner_of, spelled_name
    from waiaas_migrate.schema.describe import describe_made
    from waiaas_migrate.schema.diff import diff

    try:
        from waiaas_migrate.sqlite.reading.introspect import introspect

        changes = diff(introspect(wanted), introspect(connection, other_tools=others))
    except (ImportError, UnsupportedError):  # the parser isn't available on every platform
        return None
    return [
        Difference(
            subject=object_of(change),
            table=owner_of(change),
            where=spelled_name(change),
            words=describe_made(change),
            detail=_detail(change),
            is_extra=is_addition(change),
            missing=_missing(change),
        )
        for change in changes
    ]


def _missing(change: Change) -> str | None:
    match change:
        case DropTable(old=Table(name=name)) | DropObject(old=VirtualTable(name=name)):
            return f"table {name}"
        case DropColumn(table=table, old=column):
            return f"column {table}.{column.name}"
        case _:
            return None


def _detail(change: Change) -> object:
    """Return ``change``; if it changes the options of a table, return only the name and options."""
    if isinstance(change, ModifyTableOptions):
        return [(fold(table.name), table.strict, table.without_rowid) for table in (change.old, change.new)]
    return change


def _compare_texts(found: Sequence[CatalogRow], wanted: Sequence[CatalogRow]) -> list[Difference]:
    found_by_name, wanted_by_name = ({(row.kind, row.name): row for row in rows} for rows in (found, wanted))
    return [
        _difference(row, found_by_name.get(name), wanted_by_name.get(name))
        for name, row in {**wanted_by_name, **found_by_name}.items()
        if found_by_name.get(name) != wanted_by_name.get(name)
    ]


def _difference(row: CatalogRow, found: CatalogRow | None, wanted: CatalogRow | None) -> Difference:
    """Return the difference between an object in the database and in the migrations; one of the two may be None."""
    what = "has another definition"
    if found is None:
        what = "is missing"
    elif wanted is None:
        what = "is not in the migrations"
    return Difference(
        subject=(row.kind, fold(row.name)),
        table=None if row.kind == "view" else fold(row.table),
        where=row.name if row.kind in ("view", "trigger") else row.table,
        words=f"{row.kind} {row.name} {what}",
        detail=(found, wanted),
        is_extra=wanted is None and row.kind in ("table", "view"),
        missing=f"table {row.name}" if found is None and row.kind == "table" else None,
    )


def listed(found: Sequence[object]) -> str:
    """Return a text with the first items of ``found``, and the number of further items."""
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(map(str, found[:_SHOWN])) + more
