"""YAML text as a frozen tree in which every value knows its place.

The tree is composed here, from PyYAML's events, rather than by PyYAML: its composer recurses (so that deep nesting
ends the process), lets a key overwrite an earlier one, and puts no bound on what aliases multiply. Nothing is ever
executed: a tag outside YAML's core is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.problem_report import Origin, Report, shown
from waiaas_migrate.files.text_file import read_text
from waiaas_migrate.files.yaml_text.scalars import (
    MAPPING_TAG,
    SEQUENCE_TAG,
    Scalar,
    ScalarError,
    resolve,
    unknown_tag,
)
from waiaas_migrate.files.yaml_text.syntax_errors import explain, too_deep

#: libyaml is many times faster, and not in every build of PyYAML.
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: A schema nests ten levels; libyaml needs seconds for a file of 100,000 brackets if it is let.
DEEPEST = 64
#: Values in one file, aliases written out; what they add is bounded by what the file holds itself.
MOST_VALUES = 1_000_000
#: NUL, at which SQLite stops reading, and halves of surrogate pairs, which UTF-8 does not have.
_UNHOLDABLE = re.compile("[\\0\ud800-\udfff]")
_FREE_EXPANSION, _EXPANSION_FACTOR = 10_000, 10


# Named tuples, since a large schema has a hundred thousand of these, and a frozen dataclass takes three times as long.
# They keep PyYAML's marks: what a place is called matters to messages alone.


#: PyYAML's own, or that of its binding to libyaml.
Mark = Any


class Position(NamedTuple):
    """A place in a text, counted from 1."""

    line: int
    column: int


class ScalarNode(NamedTuple):
    """A single value; ``text`` is what stood there, less its quotes."""

    value: Scalar
    text: str
    mark: Mark

    @property
    def position(self) -> Position:
        """Where it begins."""
        return _position(self.mark)


class SequenceNode(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    mark: Mark

    @property
    def position(self) -> Position:
        """Where it begins."""
        return _position(self.mark)


class Entry(NamedTuple):
    """A key of a mapping with its value."""

    key: ScalarNode
    value: Node


class MappingNode(NamedTuple):
    """A mapping; its keys differ, and stand in the order of the file."""

    entries: tuple[Entry, ...]
    mark: Mark

    @property
    def position(self) -> Position:
        """Where it begins."""
        return _position(self.mark)


Node = ScalarNode | SequenceNode | MappingNode


class _Stop(Exception):
    """Reading on makes no sense; the reason is in the report."""


class _Open:
    """A list or mapping that is being read; ``before`` is how many values were counted when it began."""

    __slots__ = ("anchor", "before", "entries", "items", "key", "mapping", "mark")

    def __init__(self, event: yaml.CollectionStartEvent, before: int) -> None:
        self.mapping = isinstance(event, yaml.MappingStartEvent)
        self.mark = event.start_mark
        self.anchor: str | None = event.anchor
        self.before = before
        self.items: list[Node] = []
        self.entries: dict[tuple[type, Scalar], Entry] = {}
        self.key: Node | None = None


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
    stream = loader(text)
    try:
        composer.compose(stream)
    except yaml.YAMLError as error:
        if loader is not yaml.SafeLoader and too_deep(error):
            # libyaml reads ahead, and some builds give up before the bracket at which the text is too deep for us.
            return parse_yaml(text, name=name, loader=yaml.SafeLoader)
        composer.report.add(*explain(error, text, name))
    except _Stop:
        pass
    finally:
        stream.dispose()
    problems = composer.report.problems()
    if not problems and composer.root is None:
        problems = (Origin(file=name).problem("the file is empty.", "Begin it with `version: 1`."),)
    if problems or composer.root is None:
        raise SchemaFileError(problems)
    return composer.root


class _Composer:
    """Builds the tree out of events, with a stack of its own instead of recursion."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.report = Report()
        self.root: Node | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._documents = 0
        #: All values so far, each alias counted as all that it stands for; and how many of them aliases added.
        self._values = self._added = 0

    def compose(self, stream: Any) -> None:  # noqa: ANN401  PyYAML's loaders have no type in common
        """Take in all events of ``stream``."""
        takes: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceEndEvent: self._close,
            yaml.MappingEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        for event in iter(stream.get_event, None):
            take = takes.get(type(event))
            if take is not None:
                take(event)

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop(
                event.start_mark, "a second document begins here.", "Take the `---` away; the file is one document."
            )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        value: Scalar
        text = value = event.value
        is_plain = event.implicit[0]
        try:
            value = resolve(text, plain=is_plain, tag=event.tag)
        except ScalarError as error:
            self._add(event.start_mark, str(error), error.fix)
        # Only escapes in double quotes can bring these in; neither has a place in SQL text.
        if not is_plain and _UNHOLDABLE.search(text):
            self._add(
                event.start_mark, "the text contains a character that SQL text cannot hold.", "Take the escape out."
            )
        if text == "<<" and is_plain and self._expects_key():
            self._add(
                event.start_mark,
                "merge keys (`<<`) are not part of YAML 1.2 and are not read.",
                "Write the keys out, or use an alias for a whole value.",
            )
        node = ScalarNode(value, text, event.start_mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        self._place(node, event.start_mark)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = str(event.anchor)
        if any(frame.anchor == name for frame in self._stack):
            self._stop(
                event.start_mark,
                f"the alias `*{name}` stands inside the value that it repeats.",
                "Write the value out.",
            )
        if name not in self._anchors:
            self._add(
                event.start_mark,
                f"there is no anchor `&{name}` above this alias.",
                "Put text that begins with `*` in quotes.",
            )
            self._anchors[name] = (ScalarNode(None, "", event.start_mark), 1)
        node, size = self._anchors[name]
        self._added += size - 1
        self._values += size - 1
        if size > 1 and self._values > max(_FREE_EXPANSION, _EXPANSION_FACTOR * (self._values - self._added)):
            self._stop(
                event.start_mark, "aliases multiply the contents of this file without measure.", "Write the values out."
            )
        self._place(node, event.start_mark)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._stack) >= DEEPEST:
            # The key path of such a place would fill the screen; its line and column say enough.
            what, fix = f"values are nested more than {DEEPEST} deep.", "Look for brackets that are not closed."
            self.report.add(self._origin(_position(event.start_mark), ""), what, fix)
            raise _Stop
        opened = _Open(event, self._values)
        if event.tag not in (None, "", "!", MAPPING_TAG if opened.mapping else SEQUENCE_TAG):
            error = unknown_tag(event.tag)
            self._add(event.start_mark, str(error), error.fix)
        self._stack.append(opened)

    def _close(self, _: yaml.Event) -> None:
        done = self._stack.pop()
        node: Node
        if done.mapping:
            node = MappingNode(tuple(done.entries.values()), done.mark)
        else:
            node = SequenceNode(tuple(done.items), done.mark)
        if done.anchor is not None:
            self._anchors[done.anchor] = (node, self._values - done.before + 1)
        self._place(node, done.mark)

    def _place(self, node: Node, mark: Mark) -> None:
        """Count a finished node, which began at ``mark``, and put it where it belongs."""
        self._values += 1
        if self._values > MOST_VALUES:
            self._stop(mark, f"the file holds more than {MOST_VALUES:,} values.", "Check that it is the file you mean.")
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if not parent.mapping:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = node
        else:
            self._entry(parent, parent.key, node)
            parent.key = None

    def _entry(self, parent: _Open, key: Node, value: Node) -> None:
        if not isinstance(key, ScalarNode):
            what = "a list" if isinstance(key, SequenceNode) else "a mapping"
            self.report.add(
                self._origin(key.position, self._path()),
                f"the key is {what}.",
                "Use text as the key; quote a `{` or `[`.",
            )
            return
        entry = Entry(key, value)
        first = parent.entries.setdefault((type(key.value), key.value), entry)
        if first is not entry:
            self.report.add(
                self._origin(key.position, join(self._path(), key.text)),
                f"the key `{shown(key.text)}` is here twice; it stands in line {first.key.position.line} already.",
                "Take one of them away.",
            )

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].mapping and self._stack[-1].key is None

    def _path(self) -> str:
        """The key path of the innermost list or mapping."""
        path = ""
        for frame in self._stack[:-1]:
            path = _below(path, frame)
        return path

    def _here(self) -> str:
        """The key path of the next node."""
        return _below(self._path(), self._stack[-1]) if self._stack else ""

    def _origin(self, position: Position, path: str) -> Origin:
        return Origin(file=self.name, line=position.line, column=position.column, path=path)

    def _add(self, mark: Mark, what: str, fix: str = "") -> None:
        self.report.add(self._origin(_position(mark), self._here()), what, fix)

    def _stop(self, mark: Mark, what: str, fix: str) -> None:
        self._add(mark, what, fix)
        raise _Stop


def _below(path: str, frame: _Open) -> str:
    """The key path of what comes next in a list or mapping whose own is ``path``."""
    if not frame.mapping:
        return f"{path}[{len(frame.items)}]"
    return join(path, frame.key.text) if isinstance(frame.key, ScalarNode) else path


def _position(mark: Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)
