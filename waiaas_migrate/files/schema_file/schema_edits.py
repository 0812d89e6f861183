"""List the edits that make schema.yaml declare another schema."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Literal

from waiaas_migrate.files.schema_file.locate import KeyPath, KeyPlaces
from waiaas_migrate.files.schema_file.schema_text import Links, schema_data
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Lines, yaml_text
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold

_INDENT = 2

Action = Literal["add", "replace", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaEdit:
    """One edit of schema.yaml.

    Args:
        place: the file and the line of the key at ``path``.
        path: a key path, such as ``tables.tasks.columns``.
        action: whether to add ``text`` below the key, replace the key and its value with ``text``, or remove the key.
        text: indented lines of YAML; empty if the action is to remove.
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

    Unchanged items must be equal in both schemas. ``enums`` are the columns whose list of values is written as a
    reference to an enum.
    """
    before, after = (schema_data(schema, enums=enums) for schema in (old, new))
    return tuple(_edits(KeyPlaces(path, root=root), before, after, ()))


def _edits(places: KeyPlaces, old: Mapping[str, Data], new: Mapping[str, Data], keys: KeyPath) -> Iterator[SchemaEdit]:
    before = {fold(key): value for key, value in old.items()}
    added = Lines({key: value for key, value in new.items() if fold(key) not in before})
    if added:
        yield _edit(places, "add", keys, added)
    for key, value in new.items():
        path, previous = (*keys, key), before.get(fold(key), value)
        if previous == value:
            continue
        if isinstance(previous, Mapping) and isinstance(value, Mapping) and _has_single_edits(places, path):
            yield from _edits(places, previous, value, path)
        else:
            yield _edit(places, "replace", path, Lines({key: value}))
    after = set(map(fold, new))
    for key in old:
        if fold(key) not in after:
            yield _edit(places, "remove", (*keys, key), Lines())


def _has_single_edits(places: KeyPlaces, keys: KeyPath) -> bool:
    """Return whether the entries below a key are edited one by one."""
    match keys:
        case (_,) | ("tables", _) | ("tables", _, "columns" | "indexes"):
            # Each entry must be on a separate line.
            above = places.at(keys)
            return above is not None and all(at.line != above.line for at in places.below(keys))
        case _:
            return False


def _edit(places: KeyPlaces, action: Action, keys: KeyPath, entries: Lines) -> SchemaEdit:
    at = places.at(keys)
    parent = keys if action == "add" else keys[:-1]
    above = places.at(parent)
    default = above.column - 1 + _INDENT if above is not None and above.column is not None else 0
    indent = next((key.column - 1 for key in places.below(parent) if key.column is not None), default)
    text = textwrap.indent(yaml_text(entries).strip("\n"), " " * indent) if entries else ""
    place = places.file if at is None else f"{at.file}:{at.line}"
    return SchemaEdit(place=place, path=reduce(append_key, keys, ""), action=action, text=text)
