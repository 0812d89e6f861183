"""Find the lines in schema.yaml of keys, of changed items, and of problems that are found after reading it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import assert_never

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.files.yaml_text.yaml_reader import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    append_key,
    position,
    read_yaml,
)
from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.model import Trigger, View
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.unknown_names import uses_name

#: The keys and list indexes that lead to a value, from the top of the file.
KeyPath = tuple[str, ...]


def text_values(path: Path, *, root: Path) -> Iterator[tuple[KeyPath, Origin, str]]:
    """Yield the key path, the place and the text of each text value in the file."""
    return ((keys, at, text) for keys, at, text in read_places(path, root) if text is not None)


def read_places(path: Path, root: Path) -> Iterator[tuple[KeyPath, Origin, str | None]]:
    """Yield the key path and the place of each key and each text value in the file.

    The third item is the text of a value; for a key, it is None. A value follows its key.
    """
    file = display_name(path, root)
    yield from _read_places_below(read_yaml(path, name=file), Origin(file=file), ())


def _read_places_below(node: Node, at: Origin, keys: KeyPath) -> Iterator[tuple[KeyPath, Origin, str | None]]:
    match node:
        case MappingNode():
            for key, value in node.entries:
                line, column = position(key)
                here = replace(at, path=append_key(at.path, key.text), line=line, column=column)
                yield (*keys, key.text), here, None
                yield from _read_places_below(value, here, (*keys, key.text))
        case SequenceNode():
            for number, item in enumerate(node.items):
                yield from _read_places_below(item, replace(at, path=f"{at.path}[{number}]"), (*keys, str(number)))
        case ScalarNode(value=str() as text):
            line, column = position(node)
            yield keys, replace(at, line=line, column=column), text
        case ScalarNode():
            return


def locate_hazards(hazards: tuple[Hazard, ...], path: Path, *, root: Path) -> tuple[Hazard, ...]:
    """Return ``hazards``, with places for those about a hint, a literal, a name, a function or a collation."""
    if not any(hazard.name for hazard in hazards):
        return hazards
    lines = path.read_text(encoding="utf-8").splitlines()
    values = tuple(text_values(path, root=root))

    def place(hazard: Hazard) -> str:
        subject = {fold(part) for part in hazard.where.split(".")}
        naming = [(keys, at, text) for keys, at, text in values if hazard.name and _is_about(hazard, keys, text)]
        within = [(at, text) for keys, at, text in naming if subject <= set(map(fold, keys))]
        # Elsewhere, an equal literal may belong to another column.
        is_literal = hazard.code is Code.STALE_VALUE
        found = next(iter(within or ((at, text) for _, at, text in naming if not is_literal)), None)
        return "" if found is None else _shown_place(*found, lines, hazard.name if is_literal else "")

    return tuple(replace(hazard, place=place(hazard)) for hazard in hazards)


def _shown_place(at: Origin, text: str, lines: Sequence[str], literal: str) -> str:
    """Return the place of ``text`` or, if it has several lines, of ``literal`` in it."""
    first = at.line or 1
    last = min(first + text.count("\n") + 1, len(lines)) if literal and "\n" in text else first
    for number in range(first + 1, last + 1):
        if literal in lines[number - 1]:
            return f"{at.file}:{number}:{lines[number - 1].index(literal) + 1}"
    return f"{at.file}:{at.line}:{at.column}"


def _is_about(hazard: Hazard, keys: KeyPath, text: str) -> bool:
    """Return whether the text at ``keys`` names the subject of ``hazard``."""
    if hazard.code in (Code.SWAP_NAMES, Code.NARROW_TYPE):
        return keys[-1] == hazard.name
    if keys[-1] == "collate" and hazard.code is Code.UNKNOWN_COLLATION:
        return fold(text) == hazard.name
    return keys[-1] != "comment" and uses_name(text, hazard.code, hazard.name)


def declared_names(path: Path) -> frozenset[str]:
    """Return the names of tables, virtual tables and views in the file; none if it is missing or invalid."""
    try:
        found = [keys for keys, _, text in read_places(path, path.parent) if text is None]
    except SchemaFileError:
        return frozenset()
    return frozenset(keys[1] for keys in found if len(keys) == 2 and keys[0] in ("tables", "views", "virtual_tables"))


def locate_problems(problems: Iterable[Problem], path: Path, *, root: Path) -> list[Problem]:
    """Return ``problems`` with the file's name, and with the line and column of the key path of each.

    Case is ignored, because a problem may spell names as the migrations do.
    """
    file = display_name(path, root)
    places = {fold(at.path): at for _, at, _ in read_places(path, root)}
    found = [(problem, places.get(fold(problem.path), Origin(file=file))) for problem in problems]
    return [replace(problem, file=file, line=at.line, column=at.column) for problem, at in found]


class KeyPlaces:
    """The places of all keys in a schema.yaml, which is read when first needed."""

    def __init__(self, path: Path, *, root: Path) -> None:
        self._path, self._root = path, root
        #: The name of the file in messages.
        self.file = display_name(path, root)

    @cached_property
    def _places(self) -> dict[KeyPath, Origin]:
        return {tuple(map(fold, keys)): at for keys, at, text in read_places(self._path, self._root) if text is None}

    def at(self, keys: KeyPath) -> Origin | None:
        """Return the place of the key with this path; None if the file lacks it."""
        return self._places.get(tuple(map(fold, keys)))

    def below(self, keys: KeyPath) -> Iterator[Origin]:
        """Yield the places of the keys directly below the key with this path."""
        folded = tuple(map(fold, keys))
        return (at for key, at in self._places.items() if key[:-1] == folded)

    def find(self, keys: KeyPath) -> Origin:
        """Return the place of the key or, if it is missing, of the nearest item above."""
        # Try paths of even length, which end in the name of an item: for a missing column, the table, not `columns`.
        candidates = (keys[:length] for length in (len(keys), *range(len(keys) // 2 * 2, 0, -2)))
        return next((at for path in candidates if (at := self.at(path)) is not None), Origin(file=self.file))


def key_path(change: c.Change) -> KeyPath:
    """Return the key path in schema.yaml of the item that ``change`` affects."""
    match change:
        case c.AddObject(new=item) | c.DropObject(old=item) | c.ModifyObject(new=item):
            return {View: "views", Trigger: "triggers"}.get(type(item), "virtual_tables"), item.name
        case c.AddIndex(new=index) | c.DropIndex(old=index) | c.ModifyIndex(new=index):
            return "tables", change.table, "indexes", index.name
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
