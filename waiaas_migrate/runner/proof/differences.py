"""How a schema differs from what migrations make, by text and, if that differs, by meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from waiaas_migrate.errors import MigrateError, UnsupportedError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.schema.changes import Change, ModifyTableOptions
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.reading.ownership import OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing about a database that is other than the migrations make it.

    Args:
        subject: the kind and the folded name of the object.
        table: the folded name of the table that it belongs to; None if it belongs to none.
        words: what is different, for people.
        detail: what is different, to be compared.
        is_extra: no migration makes the object.
    """

    subject: tuple[str, str]
    table: str | None
    words: str = field(compare=False)
    detail: object
    is_extra: bool = field(default=False, compare=False)


def differences(
    connection: sqlite3.Connection, migrations: Sequence[MigrationFile], folder: MigrationFolder
) -> list[Difference]:
    """How the schema differs from what ``migrations`` of ``folder`` make; nothing if it means the same.

    If the text of the catalogs differs, both are read: another application may have made the tables, in other words,
    or another version of SQLite have renamed one. If they can't be read, the text decides. What the hooks of ``folder``
    make is left out: an earlier run may have left it, and they may have been edited since.
    """
    with Replay(migrations) as replay:
        found = _compared(connection, replay.run(migrations).connection, folder.others)
    theirs = _objects_of_hooks(folder) if found and folder.post_apply else frozenset()
    return [difference for difference in found if difference.subject not in theirs]


def _objects_of_hooks(folder: MigrationFolder) -> frozenset[tuple[str, str]]:
    """What the hooks make or change behind all migrations, where they are meant to run."""
    files = (*folder.migrations, *folder.post_apply)
    with Replay(folder.migrations) as replay, Replay(files) as hooked:
        try:
            made = _compared(hooked.run(files).connection, replay.run(folder.migrations).connection)
        except MigrateError:  # they need what only this database has, and cannot be told
            return frozenset()
    return frozenset(difference.subject for difference in made)


def _compared(
    connection: sqlite3.Connection, wanted: sqlite3.Connection, others: OtherTools | None = None
) -> list[Difference]:
    here, there = read_catalog(connection), read_catalog(wanted)
    if others is not None:
        others = others.except_for(row.name for row in there)
        here = others.without(here)
    found = _differing_texts(here, there)
    meant = _differing_in_meaning(connection, wanted, others) if found else None
    return found if meant is None else meant


def _differing_in_meaning(
    connection: sqlite3.Connection, wanted: sqlite3.Connection, others: OtherTools | None
) -> list[Difference] | None:
    """What is other than ``wanted``; None if it can't be told."""
    from waiaas_migrate.schema.changes import is_addition, object_of, owner_of
    from waiaas_migrate.schema.describe import describe
    from waiaas_migrate.schema.diff import diff

    try:
        from waiaas_migrate.sqlite.reading.introspect import introspect
    except ImportError:  # SQLite's grammar is not there for every platform
        return None
    try:
        changes = diff(introspect(wanted), introspect(connection, others=others))
    except UnsupportedError:
        return None
    return [
        Difference(
            subject=object_of(change),
            table=owner_of(change),
            words=f"{describe(change)} without a migration",
            detail=_detail(change),
            is_extra=is_addition(change),
        )
        for change in changes
    ]


def _detail(change: Change) -> object:
    """``change`` without what stands around it: the options of a table hold the whole table."""
    if isinstance(change, ModifyTableOptions):
        return [(fold(table.name), table.strict, table.without_rowid) for table in (change.old, change.new)]
    return change


def _differing_texts(found: tuple[CatalogRow, ...], wanted: tuple[CatalogRow, ...]) -> list[Difference]:
    """What differs by name and text."""
    here, there = _by_name(found), _by_name(wanted)
    return [
        _difference(name, here.get(name), there.get(name))
        for name in {**there, **here}
        if here.get(name) != there.get(name)
    ]


def _by_name(rows: tuple[CatalogRow, ...]) -> dict[tuple[str, str], CatalogRow]:
    return {(row.kind, row.name): row for row in rows}


def _difference(name: tuple[str, str], found: CatalogRow | None, wanted: CatalogRow | None) -> Difference:
    kind, spelled = name
    if found is None:
        words = f"{kind} {spelled} is missing"
    elif wanted is None:
        words = f"{kind} {spelled} is not in the migrations"
    else:
        words = f"{kind} {spelled} has another text"
    row = found or wanted
    return Difference(
        subject=(kind, fold(spelled)),
        table=None if row is None or kind == "view" else fold(row.table),
        words=words,
        detail=(found, wanted),
        is_extra=wanted is None and kind in ("table", "view"),
    )
