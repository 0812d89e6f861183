"""Find the line of schema.yaml that declares something."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.locate import Steps, places
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Trigger, View
from waiaas_migrate.schema.names import fold


class KeyPlaces:
    """The places of all keys of a schema.yaml; the file is read at the first query."""

    def __init__(self, path: Path, *, root: Path) -> None:
        self._path, self._root = path, root
        self.file = display_name(path, root)

    @cached_property
    def _known(self) -> dict[Steps, Origin]:
        return {_folded(steps): at for steps, at, text in places(self._path, self._root) if text is None}

    def at(self, steps: Steps) -> Origin | None:
        """Return the place of the key at ``steps``; None if the file lacks it."""
        return self._known.get(_folded(steps))

    def below(self, steps: Steps) -> Iterator[Origin]:
        """Yield the places of the keys directly below ``steps``."""
        folded = _folded(steps)
        return (at for key, at in self._known.items() if key[:-1] == folded and key)

    def find(self, steps: Steps) -> Origin:
        """Return the place of the key at ``steps`` or, if that is missing, of the nearest key above it."""
        # For a missing column, return its table rather than the section `columns`.
        above = (steps[:length] for length in (len(steps), *range(len(steps) // 2 * 2, 0, -2)))
        return next((at for one in above if (at := self.at(one)) is not None), Origin(file=self.file))


def _folded(steps: Steps) -> Steps:
    return tuple(map(fold, steps))


def key_path(change: c.Change) -> Steps:
    """Return the keys in schema.yaml that lead to the item that ``change`` affects."""
    match change:
        case c.AddObject(new=item) | c.DropObject(old=item) | c.ModifyObject(new=item):
            sections = {View: "views", Trigger: "triggers"}
            return sections.get(type(item), "virtual_tables"), item.name
        case c.AddIndex(table=table, new=index) | c.DropIndex(table=table, old=index):
            return "tables", table, "indexes", index.name
        case c.ModifyIndex(table=table, new=index):
            return "tables", table, "indexes", index.name
        case _:
            column = _column_of(change)
            return "tables", c.spelled_name(change), *(("columns", column) if column is not None else ())


def _column_of(change: c.Change) -> str | None:
    """Return the column that declares the item that ``change`` affects; None if the table declares it."""
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
