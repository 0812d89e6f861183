"""YAML text as a frozen tree in which every value knows its place.

The tree is composed here, from PyYAML's events, rather than by PyYAML: its composer recurses (so that deep nesting
ends the process), lets a key overwrite an earlier one, and puts no bound on what aliases multiply. Nothing is ever
executed: a tag outside YAML's core is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.report import Origin, Report, shown
from waiaas_migrate.files.text_file import read_text
from waiaas_migrate.files.yaml_scalars import (
    MAPPING_TAG,
    SEQUENCE_TAG,
    Scalar,
    ScalarError,
    resolve,
    unknown_tag,
)
from waiaas_migrate.files.yaml_syntax import explain, too_deep

#: libyaml is many times faster, and not in every build of PyYAML.
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: A schema nests ten levels; libyaml needs seconds for a file of 100,000 brackets if it is let.
DEEPEST = 64
#: Values in one file, aliases written out; what they add is bounded by what the file holds itself.
MOST_VALUES = 1_000_000
_FREE_EXPANSION, _EXPANSION_FACTOR = 10_000, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """A single value; ``text`` is what stood there, less its quotes."""

    value: Scalar
    text: str = field(compare=False)
    position: Position = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceNode:
    """A list."""

    items: tuple[Node, ...]
    position: Position = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key of a mapping with its value."""

    key: ScalarNode
    value: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingNode:
    """A mapping; its keys differ, and stand in the order of the file."""

    entries: tuple[Entry, ...]
    position: Position = field(compare=False)


Node = ScalarNode | SequenceNode | MappingNode


class _Stop(Exception):
    """Reading on makes no sense; the reason is in the report."""


class _Open:
    """A list or mapping that is being read."""

    def __init__(self, *, mapping: bool, position: Position, path: str, anchor: str | None) -> None:
        self.mapping = mapping
        self.position = position
        self.path = path
        self.anchor = anchor
        self.items: list[Node] = []
        self.entries: list[Entry] = []
        self.first: dict[tuple[type, Scalar], Position] = {}
        self.key: Node | None = None
        self.size = 1


def join(path: str, key: str) -> str:
    """The key path of ``key`` below ``path``; a key that is more than a word stands in quotes."""
    word = key if key.replace("-", "_").isidentifier() else f'"{shown(key)}"'
    return f"{path}.{word}" if path else word


def read_yaml(path: Path, *, name: str, missing: str = "") -> Node:
    """The tree of the YAML file at ``path``.

    Args:
        path: The file.
        name: The file as messages call it.
        missing: What to do where the file does not exist.

    Raises:
        SchemaFileError: With everything that is wrong with it as YAML.
    """
    text = read_text(path, name, missing=missing)
    if not isinstance(text, str):
        raise SchemaFileError([text])
    return parse_yaml(text, name=name)


def parse_yaml(text: str, *, name: str, loader: type[Any] = LOADER) -> Node:
    """The tree of a YAML text; see :func:`read_yaml`."""
    composer = _Composer(name)
    try:
        for event in _events(text, loader):
            composer.feed(event)
    except yaml.YAMLError as error:
        if loader is not yaml.SafeLoader and too_deep(error):
            # libyaml reads ahead, and some builds give up before the bracket at which the text is too deep for us.
            return parse_yaml(text, name=name, loader=yaml.SafeLoader)
        composer.report.add(*explain(error, text, name))
    except _Stop:
        pass
    problems = composer.report.problems()
    if not problems and composer.root is None:
        problems = (Origin(file=name).problem("the file is empty.", "Begin it with `version: 1`."),)
    if problems or composer.root is None:
        raise SchemaFileError(problems)
    return composer.root


def _events(text: str, loader: type[Any]) -> Iterator[Any]:
    stream = loader(text)
    try:
        while stream.check_event():
            yield stream.get_event()
    finally:
        stream.dispose()


class _Composer:
    """Builds the tree out of events, with a stack of its own instead of recursion."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.report = Report()
        self.root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._documents = 0
        self._written = 0
        self._values = 0

    def feed(self, event: yaml.Event) -> None:
        """Take in the next event."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
            case yaml.DocumentStartEvent():
                self._document(event)
            case _:
                pass

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(event, "a second document begins here.", "Take the `---` away; the file is one document.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        value: Scalar = event.value
        try:
            value = resolve(event.value, plain=event.implicit[0], tag=event.tag)
        except ScalarError as error:
            self._add(event, str(error), error.fix)
        self._text(event)
        node = ScalarNode(value=value, text=event.value, position=_position(event))
        if self._expects_key() and event.value == "<<" and event.implicit[0]:
            self._add(
                event,
                "merge keys (`<<`) are not part of YAML 1.2 and are not read.",
                "Write the keys out, or use an alias for a whole value.",
            )
        self._place(node, 1, event.anchor, event)

    def _text(self, event: yaml.ScalarEvent) -> None:
        # Only escapes in double quotes can bring these in; neither has a place in SQL text.
        if "\0" in event.value or any("\ud800" <= character <= "\udfff" for character in event.value):
            self._add(event, "the text contains a character that SQL text cannot hold.", "Take the escape out.")

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = str(event.anchor)
        if any(frame.anchor == name for frame in self._stack):
            self._stop(event, f"the alias `*{name}` stands inside the value that it repeats.", "Write the value out.")
        if name not in self._anchors:
            self._add(
                event, f"there is no anchor `&{name}` above this alias.", "Put text that begins with `*` in quotes."
            )
            self._anchors[name] = (ScalarNode(value=None, text="", position=_position(event)), 1)
        node, size = self._anchors[name]
        self._place(node, size, None, event)

    def _open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        if len(self._stack) >= DEEPEST:
            # The key path of such a place would fill the screen; its line and column say enough.
            what, fix = f"values are nested more than {DEEPEST} deep.", "Look for brackets that are not closed."
            self.report.add(self._origin(_position(event), ""), what, fix)
            raise _Stop
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "", "!", MAPPING_TAG if mapping else SEQUENCE_TAG):
            error = unknown_tag(event.tag)
            self._add(event, str(error), error.fix)
        self._stack.append(
            _Open(mapping=mapping, position=_position(event), path=self._here(), anchor=event.anchor),
        )

    def _close(self) -> None:
        done = self._stack.pop()
        node: Node
        if done.mapping:
            node = MappingNode(entries=tuple(done.entries), position=done.position)
        else:
            node = SequenceNode(items=tuple(done.items), position=done.position)
        self._place(node, done.size, done.anchor, None)

    def _place(self, node: Node, size: int, anchor: str | None, event: yaml.Event | None) -> None:
        """Put a finished node where it belongs; ``size`` counts it and all below it, aliases written out."""
        if event is not None:
            self._count(event, size)
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        parent.size += size
        if not parent.mapping:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            self._entry(parent, parent.key, node)
            parent.key = None

    def _count(self, event: yaml.Event, size: int) -> None:
        """Bound what is read: each alias counts as all that it stands for."""
        self._written += 1
        self._values += size
        if self._values > max(_FREE_EXPANSION, _EXPANSION_FACTOR * self._written):
            self._stop(event, "aliases multiply the contents of this file without measure.", "Write the values out.")
        if self._values > MOST_VALUES:
            self._stop(
                event, f"the file holds more than {MOST_VALUES:,} values.", "Check that it is the file you mean."
            )

    def _entry(self, parent: _Open, key: Node, value: Node) -> None:
        if not isinstance(key, ScalarNode):
            what = "a list" if isinstance(key, SequenceNode) else "a mapping"
            self.report.add(
                self._origin(key.position, parent.path),
                f"the key is {what}.",
                "Use text as the key; quote a `{` or `[`.",
            )
            return
        identity = (type(key.value), key.value)
        if identity in parent.first:
            self.report.add(
                self._origin(key.position, join(parent.path, key.text)),
                f"the key `{shown(key.text)}` is here twice; it stands in line {parent.first[identity].line} already.",
                "Take one of them away.",
            )
            return
        parent.first[identity] = key.position
        parent.entries.append(Entry(key=key, value=value))

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].mapping and self._stack[-1].key is None

    def _here(self) -> str:
        """The key path of the next node."""
        if not self._stack:
            return ""
        parent = self._stack[-1]
        if not parent.mapping:
            return f"{parent.path}[{len(parent.items)}]"
        return join(parent.path, parent.key.text) if isinstance(parent.key, ScalarNode) else parent.path

    def _origin(self, position: Position, path: str) -> Origin:
        return Origin(file=self.name, line=position.line, column=position.column, path=path)

    def _add(self, event: yaml.Event, what: str, fix: str = "") -> None:
        self.report.add(self._origin(_position(event), self._here()), what, fix)

    def _stop(self, event: yaml.Event, what: str, fix: str) -> None:
        self._add(event, what, fix)
        raise _Stop


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(line=mark.line + 1, column=mark.column + 1) if mark else Position(line=1, column=1)
