"""Plain data as YAML that a person would have written.

What is written means the same in YAML 1.2, which this package reads, and in YAML 1.1, which most other programs do:
text that either would take for something else stands in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import yaml

from waiaas_migrate.files.yaml_text.scalars import MAPPING_TAG, SEQUENCE_TAG, TEXT_TAG, Scalar, ScalarError, resolve

Data: TypeAlias = "Scalar | Sequence[Data] | Mapping[str, Data]"

#: A line longer than this is broken up, where it can be.
_LONGEST_LINE = 110
_INDENT = 2
_NO_LIMIT = 2**30

#: Text that needs no quotes, most of it; and text that needs some inside braces or brackets only.
_PLAIN = re.compile(r"[A-Za-z_][\w ./()<>=+*%-]*\Z", re.ASCII)
_ENDS_IN_FLOW = re.compile(r"[][{},]")

#: What ends lines in YAML 1.1 (https://yaml.org/spec/1.1/#id871136), besides the usual.
_OTHER_BREAKS = "\r\x85\u2028\u2029"


class Lines(dict[str, "Data"]):
    """A mapping that takes a line for each key, however short it is."""


class Paragraph(str):
    """Text that keeps its lines, as a block, where it has more than one."""

    __slots__ = ()


def yaml_text(data: Mapping[str, Data]) -> str:
    """``data`` as YAML: each mapping and list on one line where it fits, its keys in their order."""
    text: str = yaml.serialize(
        _node(data, 0),
        Dumper=_Dumper,
        width=_NO_LIMIT,
        indent=_INDENT,
        allow_unicode=True,
    )
    return text


def _node(data: Data, used: int) -> yaml.Node:
    """The node of ``data``; ``used`` is how much of its line is taken already, were it to stand on one."""
    if isinstance(data, Mapping):
        return _mapping(data, used)
    if isinstance(data, Sequence) and not isinstance(data, str):
        flows = _fits(data, used)
        inside = 0 if flows else used + _INDENT
        items = [_node(item, inside) for item in data]
        return yaml.SequenceNode(SEQUENCE_TAG, items, flow_style=flows)
    return _scalar(data)


def _mapping(data: Mapping[str, Data], used: int) -> yaml.Node:
    flows = not data or (not isinstance(data, Lines) and _fits(data, used))
    pairs = []
    for key, value in data.items():
        name = _scalar(key)
        # In block style, a value stands behind its key where it fits, and else below it, one step further in.
        on_line = used + len(key) + 2
        is_block = isinstance(value, Mapping | list | tuple) and not _fits(value, on_line)
        pairs.append((name, _node(value, used + _INDENT if is_block else on_line)))
    return yaml.MappingNode(MAPPING_TAG, pairs, flow_style=flows)


def _fits(data: Data, used: int) -> bool:
    width = used
    for piece in _pieces(data):
        width += piece
        if width > _LONGEST_LINE:
            return False
    return True


def _pieces(data: Data) -> Iterator[int]:
    """The widths of what ``data`` is made of, were it to stand on one line."""
    if isinstance(data, Lines) or (isinstance(data, Paragraph) and "\n" in data):
        yield _NO_LIMIT
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield len(key) + 4
            yield from _pieces(value)
    elif isinstance(data, str):
        # SQL with quotes in it is hard to read with its quotes doubled, which it needs not be on a line of its own.
        yield _NO_LIMIT if "'" in data and _ENDS_IN_FLOW.search(data) else len(data) + 2 * (not _PLAIN.match(data))
    elif isinstance(data, Sequence):
        for item in data:
            yield 2
            yield from _pieces(item)
    else:
        yield len(str(data))


def _scalar(value: Scalar) -> yaml.Node:
    if isinstance(value, str):
        return yaml.ScalarNode(TEXT_TAG, value, style=_style(value))
    return yaml.representer.SafeRepresenter().represent_data(value)


def _style(text: str) -> str | None:
    """The quotes that ``text`` needs in YAML 1.2; None leaves it to the emitter, which knows what YAML 1.1 needs."""
    if isinstance(text, Paragraph) and _can_be_block(text):
        return "|"
    if not text.isprintable():
        return '"'
    try:
        is_text = isinstance(resolve(text, plain=True), str)
    except ScalarError:
        is_text = False
    return None if is_text else "'"


def _can_be_block(text: str) -> bool:
    # One that ends in empty lines would take the blank line behind it for one of them; other breaks are read back as
    # plain ones.
    is_block = "\n" in text and bool(text.strip()) and not text.endswith("\n\n")
    return is_block and not any(other in text for other in _OTHER_BREAKS)


class _Dumper(yaml.SafeDumper):
    """An emitter that sets a blank line between the parts of a file, and indents lists."""

    _began = 0

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow=flow, indentless=False)

    def expect_block_mapping_key(self, first: bool = False) -> None:  # noqa: FBT001, FBT002
        depth = len(self.indents)
        if depth <= 2 and isinstance(self.event, yaml.ScalarEvent):
            if not first and (depth == 1 or self.line > self._began):
                self._blank_line()
            # The line break before this key is still to be written, except before the first of all.
            self._began = self.line + (self.column > 0)
        super().expect_block_mapping_key(first)

    def _blank_line(self) -> None:
        if self.column > 0:
            self.write_line_break()
        self.write_line_break()
