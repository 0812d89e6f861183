"""Find the edits to schema.yaml that turn one schema into another, with their places."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Literal

from waiaas_migrate.files.schema_file.key_places import KeyPlaces
from waiaas_migrate.files.schema_file.locate import Steps
from waiaas_migrate.files.schema_file.schema_text import Links, schema_data
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Lines, yaml_text
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold

#: The keys of a table whose entries are compared one by one.
_SECTIONS = ("columns", "indexes")
_INDENT = 2

Action = Literal["add", "replace", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaEdit:
    """One edit of schema.yaml.

    Args:
        place: the file and the line of the key.
        path: the keys that lead to the entries, such as ``tables.tasks.columns``.
        action: add ``text`` below the key at ``path``, or replace or remove that key.
        text: the lines, with their indentation; empty if the action is to remove.
    """

    place: str
    path: str
    action: Action
    text: str = ""

    def __str__(self) -> str:
        words = {"add": "add", "replace": "replace with", "remove": "remove"}[self.action]
        return f"{self.place}, {self.path or 'at the end'}: {words}" + (f"\n{self.text}" if self.text else "")


def schema_edits(path: Path, old: Schema, new: Schema, *, root: Path, enums: Links) -> tuple[SchemaEdit, ...]:
    """Return the edits that change the file at ``path`` from ``old`` to ``new``.

    Args:
        path: schema.yaml.
        old: the schema that the file declares.
        new: the schema that it should declare. Items that stay the same must be equal in both.
        root: the folder of the project.
        enums: the columns whose list of values is written as the name of an enum.
    """
    before, after = (schema_data(schema, enums=enums) for schema in (old, new))
    return tuple(_edits(KeyPlaces(path, root=root), before, after, ()))


def _edits(places: KeyPlaces, old: Mapping[str, Data], new: Mapping[str, Data], steps: Steps) -> Iterator[SchemaEdit]:
    before = {fold(key): value for key, value in old.items()}
    added = Lines({key: value for key, value in new.items() if fold(key) not in before})
    if added:
        yield _edit(places, "add", steps, added)
    for key, value in new.items():
        here, was = (*steps, key), before.get(fold(key), value)
        if was == value:
            continue
        if _has_entries(here) and isinstance(was, Mapping) and isinstance(value, Mapping) and _is_block(places, here):
            yield from _edits(places, was, value, here)
        else:
            yield _edit(places, "replace", here, Lines({key: value}))
    after = set(map(fold, new))
    for key in old:
        if fold(key) not in after:
            yield _edit(places, "remove", (*steps, key), Lines())


def _has_entries(steps: Steps) -> bool:
    """Return whether the entries below a key are compared one by one."""
    match steps:
        case (_,) | ("tables", _):
            return True
        case ("tables", _, section):
            return section in _SECTIONS
        case _:
            return False


def _is_block(places: KeyPlaces, steps: Steps) -> bool:
    """Return whether each entry below a key is on a separate line, so that lines can be added."""
    own = places.at(steps)
    return own is not None and all(at.line != own.line for at in places.below(steps))


def _edit(places: KeyPlaces, action: Action, steps: Steps, entries: Lines) -> SchemaEdit:
    at = places.at(steps)
    indent = _indent(places, steps if action == "add" else steps[:-1])
    text = textwrap.indent(yaml_text(entries).strip("\n"), " " * indent) if entries else ""
    place = places.file if at is None else f"{at.file}:{at.line}"
    return SchemaEdit(place=place, path=reduce(append_key, steps, ""), action=action, text=text)


def _indent(places: KeyPlaces, steps: Steps) -> int:
    """Return the indentation of the keys below ``steps``, in spaces."""
    own = places.at(steps)
    first = own.column - 1 + _INDENT if own is not None and own.column is not None else 0
    return next((at.column - 1 for at in places.below(steps) if at.column is not None), first)
