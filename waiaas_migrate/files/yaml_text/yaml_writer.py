"""Write plain data as YAML that a person could have written.

The output means the same in YAML 1.2, which this package reads, and in YAML 1.1, which most other programs read. A
value that either version would misread is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import yaml

from waiaas_migrate.files.yaml_text.scalars import MAPPING_TAG, SEQUENCE_TAG, TEXT_TAG, Scalar, ScalarError, resolve

Data: TypeAlias = "Scalar | Sequence[Data] | Mapping[str, Data]"

#: The longest line, in characters; longer lines are split if possible.
_LONGEST_LINE = 110
_INDENT = 2
_NO_LIMIT = 2**30

#: Text that never needs quotes, and characters that need quotes only inside braces or brackets.
_PLAIN = re.compile(r"[A-Za-z_][\w ./()<>=+*%-]*\Z", re.ASCII)
_ENDS_IN_FLOW = re.compile(r"[][{},]")

#: The line ends of YAML 1.1 (https://yaml.org/spec/1.1/#id871136) other than the line feed.
_OTHER_BREAKS = "\r\x85\u2028\u2029"


class Lines(dict[str, "Data"]):
    """A mapping that is written with one line for each key, even if it fits on one line."""


class Paragraph(str):
    """Text that keeps its line breaks; several lines are written as a block."""

    __slots__ = ()


def yaml_text(data: Mapping[str, Data]) -> str:
    """Return ``data`` as YAML: each mapping and list on one line if it fits, with its keys in order."""
    node = _node(data, 0)
    text: str = yaml.serialize(node, Dumper=_Dumper, width=_NO_LIMIT, indent=_INDENT, allow_unicode=True)
    return text


def _node(data: Data, used: int) -> yaml.Node:
    """Return the node of ``data``; ``used`` is the width before it if it goes on the same line."""
    if isinstance(data, Mapping):
        pairs = []
        for key, value in data.items():
            # In block style, a value follows its key on the same line if it fits. Otherwise it is indented below.
            on_line = used + len(key) + 2
            is_block = isinstance(value, Mapping | list | tuple) and not _fits(value, on_line)
            pairs.append((_scalar(key), _node(value, used + _INDENT if is_block else on_line)))
        flows = not data or (not isinstance(data, Lines) and _fits(data, used))
        return yaml.MappingNode(MAPPING_TAG, pairs, flow_style=flows)
    if isinstance(data, Sequence) and not isinstance(data, str):
        flows = _fits(data, used)
        inside = 0 if flows else used + _INDENT
        return yaml.SequenceNode(SEQUENCE_TAG, [_node(item, inside) for item in data], flow_style=flows)
    return _scalar(data)


def _fits(data: Data, used: int) -> bool:
    return used + sum(_widths(data)) <= _LONGEST_LINE


def _widths(data: Data) -> Iterator[int]:
    """Yield the widths that the parts of ``data`` would have on one line."""
    if isinstance(data, Lines) or (isinstance(data, Paragraph) and "\n" in data):
        yield _NO_LIMIT
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield len(key) + 4
            yield from _widths(value)
    elif isinstance(data, str):
        # Doubled quotes make SQL hard to read; on a separate line, SQL needs no doubled quotes.
        yield _NO_LIMIT if "'" in data and _ENDS_IN_FLOW.search(data) else len(data) + 2 * (not _PLAIN.match(data))
    elif isinstance(data, Sequence):
        for item in data:
            yield 2
            yield from _widths(item)
    else:
        yield len(str(data))


def _scalar(value: Scalar) -> yaml.Node:
    if isinstance(value, str):
        return yaml.ScalarNode(TEXT_TAG, value, style=_style(value))
    return yaml.representer.SafeRepresenter().represent_data(value)


def _style(text: str) -> str | None:
    """Return the quotes that ``text`` needs in YAML 1.2; with None, the emitter adds those for YAML 1.1."""
    # A block that ends in empty lines would include the blank line after it. Other line ends are read as line feeds.
    is_block = isinstance(text, Paragraph) and "\n" in text and text.strip() and not text.endswith("\n\n")
    if is_block and not any(other in text for other in _OTHER_BREAKS):
        return "|"
    if not text.isprintable():
        return '"'
    try:
        return None if isinstance(resolve(text, plain=True), str) else "'"
    except ScalarError:
        return "'"


class _Dumper(yaml.SafeDumper):
    """An emitter that puts a blank line between the sections of a file, and indents lists."""

    _began = 0

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow=flow, indentless=False)

    def expect_block_mapping_key(self, first: bool = False) -> None:  # noqa: FBT001, FBT002
        depth = len(self.indents)
        if depth <= 2 and isinstance(self.event, yaml.ScalarEvent):
            if not first and (depth == 1 or self.line > self._began):
                if self.column > 0:
                    self.write_line_break()
                self.write_line_break()
            # The emitter has yet to write the line break before this key, unless it is the first key of the file.
            self._began = self.line + (self.column > 0)
        super().expect_block_mapping_key(first)
