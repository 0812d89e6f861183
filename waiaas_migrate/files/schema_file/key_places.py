"""Find the line of schema.yaml that declares a table, a column or another item."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import assert_never

from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.locate import KeyPath, read_places
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Trigger, View
from waiaas_migrate.schema.names import fold


class KeyPlaces:
    """The places of all keys in a schema.yaml, which is read when first needed."""

    def __init__(self, path: Path, *, root: Path) -> None:
        self._path, self._root = path, root
        #: The name of the file in messages.
        self.file = display_name(path, root)

    @cached_property
    def _places(self) -> dict[KeyPath, Origin]:
        return {_folded(keys): at for keys, at, text in read_places(self._path, self._root) if text is None}

    def at(self, keys: KeyPath) -> Origin | None:
        """Return the place of the key with this path; None if the file lacks it."""
        return self._places.get(_folded(keys))

    def below(self, keys: KeyPath) -> Iterator[Origin]:
        """Yield the places of the keys directly below the key with this path."""
        folded = _folded(keys)
        return (at for key, at in self._places.items() if key[:-1] == folded and key)

    def find(self, keys: KeyPath) -> Origin:
        """Return the place of the key or, if it is missing, of the nearest item above."""
        # Try paths of even length, which end in the name of an item: for a missing column, the table, not `columns`.
        candidates = (keys[:length] for length in (len(keys), *range(len(keys) // 2 * 2, 0, -2)))
        return next((at for path in candidates if (at := self.at(path)) is not None), Origin(file=self.file))


def _folded(keys: KeyPath) -> KeyPath:
    return tuple(map(fold, keys))


def key_path(change: c.Change) -> KeyPath:
    """Return the key path in schema.yaml of the item that ``change`` affects."""
    match change:
        case c.AddObject(new=item) | c.DropObject(old=item) | c.ModifyObject(new=item):
            sections = {View: "views", Trigger: "triggers"}
            return sections.get(type(item), "virtual_tables"), item.name
        case c.AddIndex(table=table, new=index) | c.DropIndex(table=table, old=index):
            return "tables", table, "indexes", index.name
        case c.ModifyIndex(table=table, new=index):
            return "tables", table, "indexes", index.name
        case c.AddTable() | c.DropTable() | c.RenameTable() | c.ModifyTableOptions() | c.InTable():
            column = _column_of(change)
            return "tables", c.spelled_name(change), *(("columns", column) if column is not None else ())
        case _:
            assert_never(change)


def _column_of(change: c.Change) -> str | None:
    """Return the column that declares the changed item; None if the table does."""
    match change:
        case c.AddColumn(new=column) | c.DropColumn(old=column) | c.ModifyColumn(new=column):
            return column.name
        case c.RenameColumn(new=name):
            return name
        case c.AddCheck(new=check) | c.DropCheck(old=check) | c.ModifyCheck(new=check):
            return check.column
        case c.AddForeignKey(new=key) | c.DropForeignKey(old=key) | c.ModifyForeignKey(new=key):
            return key.columns[0] if len(key.columns) == 1 else None
        case c.AddUnique(new=unique) | c.DropUnique(old=unique):
            return unique.parts[0].column if len(unique.parts) == 1 else None
        case _:
            return None
