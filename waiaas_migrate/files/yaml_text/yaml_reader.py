"""Read YAML into an immutable tree with the line and column of every value.

The tree is built from the events of PyYAML's parser. PyYAML's own trees aren't used, because reading them recurses
without a limit, duplicate keys overwrite each other, and aliases may expand without a limit.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.problem_report import Origin, Report, shown
from waiaas_migrate.files.text_file import read_text
from waiaas_migrate.files.yaml_text import scalars
from waiaas_migrate.files.yaml_text.scalars import Scalar
from waiaas_migrate.files.yaml_text.yaml_writer import Data

#: PyYAML's binding to libyaml, which is many times faster than its Python parser. Some builds lack it.
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: How deep lists and mappings may be nested. A schema needs ten levels; for 100,000, libyaml takes seconds.
DEEPEST = 64
#: How many values a file may hold, with aliases expanded.
MOST_VALUES = 1_000_000
#: NUL, at which SQLite stops reading, and halves of surrogate pairs, which UTF-8 can't encode.
_NOT_IN_SQL = re.compile("[\\0\ud800-\udfff]")

_TAB = "a tab is used to indent.", "Replace it: YAML indents with spaces only."
_ADD_QUOTES = "or quote the value if it contains a comma or bracket."

#: Patterns for messages of libyaml and of PyYAML's Python parser, each with the problem and its fix.
_EXPLANATIONS: dict[str, tuple[str, str]] = {
    r"tab character that violates indentation": _TAB,
    r"mapping values are not allowed": (
        "unexpected colon.",
        "Quote a value that contains `: `, or correct the indentation of this line.",
    ),
    r"found unexpected end of stream": (
        "the quote that opens here is never closed.",
        "Close it. For a quote inside the text, write `''` in single quotes or `\"` in double quotes.",
    ),
    r"',' or '\]'": ("the list that opens here is not closed.", f"Add the missing `,` or `]`, {_ADD_QUOTES}"),
    r"',' or '\}'": ("the mapping that opens here is not closed.", f"Add the missing `,` or `}}`, {_ADD_QUOTES}"),
    r"(did not find expected key|expected <block end>|expected '-' indicator)": (
        "this does not fit the lines above.",
        "Correct the indentation, or put the whole value in quotes.",
    ),
    r"could not find expected ':'": ("the key has no colon.", "Write `key: value`, or correct the indentation."),
    r"unknown escape character|escape sequence|escape code": (
        "unknown escape in double quotes.",
        "Write a backslash twice, or use single quotes.",
    ),
    r"expected (the )?node content": (
        "a value is missing before this character.",
        "Write the value, or remove the character.",
    ),
    r"<document start>": (
        "this does not belong to the lines above.",
        "Begin every top-level key in the first column.",
    ),
    r"incompatible YAML document": ("unknown YAML version.", "Remove the %YAML line."),
    r"undefined tag handle": ("unknown tag.", "Quote a value that begins with `!`."),
}
#: The marker that git writes at the start of a merge conflict.
_CONFLICT_MARKER = re.compile(r"^<{7}(?: .*)?$", re.MULTILINE)

#: A position from PyYAML. Its Python parser and its binding to libyaml have unrelated classes for positions.
Mark = Any
#: The first event of a list or a mapping.
Event = Any

# Nodes are named tuples: a large schema has 100,000 nodes, and frozen dataclasses take three times as long to make.


class ScalarNode(NamedTuple):
    """A single value, and its text in the file without quotes."""

    value: Scalar
    text: str
    mark: Mark


class SequenceNode(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    mark: Mark


class Entry(NamedTuple):
    """A key of a mapping with its value."""

    key: ScalarNode
    value: Node


class MappingNode(NamedTuple):
    """A mapping, in the order of the file. Keys are unique."""

    entries: tuple[Entry, ...]
    mark: Mark


Node = ScalarNode | SequenceNode | MappingNode


def position(node: Node) -> tuple[int, int]:
    """Return the line and the column at which a node begins, both counted from 1."""
    return node.mark.line + 1, node.mark.column + 1


def append_key(path: str, key: str) -> str:
    """Return the key path ``path.key``; a key that isn't a word gets quotes."""
    word = key if key.replace("-", "_").isidentifier() else f'"{shown(key)}"'
    return f"{path}.{word}" if path else word


def as_data(node: Node) -> Data:
    """Return the values in a node as lists, dicts and scalars."""
    match node:
        case ScalarNode(value=value):
            return value
        case SequenceNode(items=items):
            return [as_data(item) for item in items]
        case MappingNode(entries=entries):
            return {entry.key.text: as_data(entry.value) for entry in entries}


def read_yaml(path: Path, *, name: str, missing: str = "") -> Node:
    """Return the tree of a YAML file, which messages call ``name``.

    If the file doesn't exist, ``missing`` is the fix that the error suggests.

    Raises:
        SchemaFileError: the file can't be read, or isn't valid YAML; the error lists every problem.
    """
    text = read_text(path, name, missing=missing)
    if not isinstance(text, str):
        raise SchemaFileError([text])
    return parse_yaml(text, name=name)


def parse_yaml(text: str, *, name: str, loader: type[Any] = LOADER) -> Node:
    """Return the tree of a YAML text; raise the same errors as :func:`read_yaml`."""
    stream = loader(text)
    reader = _Reader(stream, name)
    root = None
    try:
        root = reader.document()
        if root is None:
            reader.report.add(Origin(file=name), "the file is empty.", "Begin it with `version: 1`.")
    except yaml.YAMLError as error:
        if loader is not yaml.SafeLoader and "maximum nesting depth" in _message(error):
            # Some builds of libyaml read ahead and give up before `_Reader` gets to the place that is too deep.
            return parse_yaml(text, name=name, loader=yaml.SafeLoader)
        reader.report.add(*_explain(error, text, name))
    except _Stop:
        pass
    finally:
        stream.dispose()
    if (problems := reader.report.problems()) or root is None:
        raise SchemaFileError(problems)
    return root


def _message(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error)


def _explain(error: yaml.YAMLError, text: str, name: str) -> tuple[Origin, str, str]:
    """Return the place of a syntax error, the problem, and its fix."""
    if conflict := _CONFLICT_MARKER.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        fix = "Keep what both branches need, and remove git's marks."
        return Origin(file=name, line=line, column=1), "a merge conflict begins here.", fix
    mark = getattr(error, "problem_mark", None)
    what, fix = _explanation(_message(error), _character_at(text, mark))
    if "closed" in what:
        # Report the opening quote or bracket, not the place where the parser noticed that the other is missing.
        mark = getattr(error, "context_mark", None) or mark
    if mark is None:
        return Origin(file=name), what, fix
    return Origin(file=name, line=mark.line + 1, column=mark.column + 1), what, fix


def _character_at(text: str, mark: yaml.Mark | None) -> str:
    """Return the character at ``mark``; "" without a mark or at the end of the text."""
    lines = text.splitlines()
    return lines[mark.line][mark.column : mark.column + 1] if mark is not None and mark.line < len(lines) else ""


def _explanation(problem: str, character: str) -> tuple[str, str]:
    if "cannot start any token" in problem:
        return _TAB if character == "\t" else (f"a value can't begin with `{character}`.", "Put the value in quotes.")
    for pattern, explanation in _EXPLANATIONS.items():
        if re.search(pattern, problem):
            return explanation
    return f"this is not YAML: {problem}.", "Correct it, or put the value in quotes."


class _Stop(Exception):
    """The reader can't continue. Its report has the reason."""


class _Reader:
    """Builds a tree from parser events."""

    def __init__(self, stream: Any, name: str) -> None:  # noqa: ANN401 — PyYAML's loaders have no type in common
        self._stream, self._name = stream, name
        self.report = Report()
        #: The keys and list indexes that lead to the current node.
        self._steps: list[str | int] = []
        self._depth = 0
        #: Nodes by anchor, with the number of values in each node; None while a node is being read.
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        #: The number of values read so far, with aliases expanded.
        self._value_count = 0

    def document(self) -> Node | None:
        """Return the tree of the only document; None if the stream is empty."""
        root: Node | None = None
        for event in iter(self._stream.get_event, None):
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event)
            elif isinstance(event, yaml.DocumentStartEvent) and root is not None:
                self._stop(event.start_mark, "a second document begins here.", "Remove the `---`.")
        return root

    def _node(self, event: yaml.NodeEvent) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._value_count
        self._count_values(1, event.start_mark)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else self._collection(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._value_count - before)
        return node

    def _count_values(self, number: int, mark: Mark) -> None:
        self._value_count += number
        if self._value_count > MOST_VALUES:
            self._stop(mark, f"the file holds more than {MOST_VALUES:,} values.", "Check that it is the file you mean.")

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        value: Scalar
        text = value = event.value
        is_plain = event.implicit[0]
        try:
            value = scalars.resolve(text, plain=is_plain, tag=event.tag)
        except scalars.ScalarError as error:
            self._add(event.start_mark, str(error), error.fix)
        # Only escapes in double quotes can produce these characters: `read_text` refuses files that contain them.
        if not is_plain and _NOT_IN_SQL.search(text):
            self._add(event.start_mark, "the text contains a character that SQL can't hold.", "Remove the escape.")
        return ScalarNode(value, text, event.start_mark)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name, mark = str(event.anchor), event.start_mark
        if name not in self._anchors:
            self._add(mark, f"unknown alias `*{name}`.", "Put text that begins with `*` in quotes.")
            self._anchors[name] = (ScalarNode(None, "", mark), 1)
        anchor = self._anchors[name]
        if anchor is None:
            self._stop(mark, f"the alias `*{name}` is inside the value that it repeats.", "Write the value out.")
        node, size = anchor
        self._count_values(size, mark)
        return node

    def _collection(self, event: Event) -> Node:
        if self._depth >= DEEPEST:
            # Report only line and column: a key path of this depth would fill the screen.
            self._steps.clear()
            what = f"values are nested more than {DEEPEST} deep."
            self._stop(event.start_mark, what, "Look for brackets that are not closed.")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "", "!", scalars.MAPPING_TAG if is_mapping else scalars.SEQUENCE_TAG):
            error = scalars.tag_error(event.tag)
            self._add(event.start_mark, str(error), error.fix)
        self._depth += 1
        node = self._mapping(event.start_mark) if is_mapping else self._sequence(event.start_mark)
        self._depth -= 1
        return node

    def _sequence(self, mark: Mark) -> SequenceNode:
        items: list[Node] = []
        while isinstance(event := self._stream.get_event(), yaml.NodeEvent):
            self._steps.append(len(items))
            items.append(self._node(event))
            self._steps.pop()
        return SequenceNode(tuple(items), mark)

    def _mapping(self, mark: Mark) -> MappingNode:
        entries: dict[tuple[type, Scalar], Entry] = {}
        while isinstance(event := self._stream.get_event(), yaml.NodeEvent):
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                what = "YAML 1.2 has no merge keys (`<<`)."
                self._add(event.start_mark, what, "Write the keys out, or use an alias for a whole value.")
            key = self._node(event)
            if not isinstance(key, ScalarNode):
                what = "a key can't be a list or a mapping."
                self._add(key.mark, what, "Use text as the key; put text that begins with `{` or `[` in quotes.")
                self._node(self._stream.get_event())
                continue
            self._steps.append(key.text)
            entry = Entry(key, self._node(self._stream.get_event()))
            first = entries.setdefault((type(key.value), key.value), entry)
            if first is not entry:
                line, _ = position(first.key)
                self._add(key.mark, f"duplicate key `{shown(key.text)}`, first in line {line}.", "Remove one of them.")
            self._steps.pop()
        return MappingNode(tuple(entries.values()), mark)

    def _add(self, mark: Mark, what: str, fix: str) -> None:
        path = ""
        for step in self._steps:
            path = append_key(path, step) if isinstance(step, str) else f"{path}[{step}]"
        self.report.add(Origin(file=self._name, line=mark.line + 1, column=mark.column + 1, path=path), what, fix)

    def _stop(self, mark: Mark, what: str, fix: str) -> NoReturn:
        self._add(mark, what, fix)
        raise _Stop
