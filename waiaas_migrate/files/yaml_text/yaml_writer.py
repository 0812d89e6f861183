"""Write data as YAML that looks as if a person had written it.

The output means the same in YAML 1.2, which this package reads, and in YAML 1.1, which most other programs read. Text
that either version would read as another type is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import yaml

from waiaas_migrate.files.yaml_text.scalars import MAPPING_TAG, SEQUENCE_TAG, TEXT_TAG, Scalar, ScalarError, resolve

Data: TypeAlias = "Scalar | Sequence[Data] | Mapping[str, Data]"

#: How many characters a line may have. A longer list or mapping is written on several lines.
_LONGEST_LINE = 110
_INDENT = 2
_NO_LIMIT = 2**30
#: The width of what can't be on one line.
_TOO_WIDE = _LONGEST_LINE + 1

#: Text that never needs quotes, and characters that need quotes only in a list or mapping on one line.
_PLAIN = re.compile(r"[A-Za-z_][\w ./()<>=+*%-]*\Z", re.ASCII)
_QUOTED_IN_FLOW = re.compile(r"[][{},]")

#: The line ends of YAML 1.1 (https://yaml.org/spec/1.1/#id871136) other than the line feed.
_OTHER_LINE_ENDS = "\r\x85\u2028\u2029"


class Lines(dict[str, "Data"]):
    """A mapping to write with a line for each key, even if it fits on one line."""


class Paragraph(str):
    """Text to write as a block (``|``) with its line breaks, if there are any."""

    __slots__ = ()


def yaml_text(data: Mapping[str, Data]) -> str:
    """Return ``data`` as YAML. Mappings and lists that fit are written on one line."""
    text: str = yaml.serialize(_node(data, 0), Dumper=_Dumper, width=_NO_LIMIT, indent=_INDENT, allow_unicode=True)
    return text


def _node(data: Data, indent: int) -> yaml.Node:
    """Return the node of ``data``, which begins at column ``indent``."""
    if isinstance(data, Mapping):
        pairs = []
        for key, value in data.items():
            # A value follows its key on the same line if it fits. Otherwise, the value is on the lines below.
            after_key = indent + len(key) + 2
            is_below = isinstance(value, Mapping | list | tuple) and not _fits(value, after_key)
            pairs.append((_scalar(key), _node(value, indent + _INDENT if is_below else after_key)))
        is_flow = not data or (not isinstance(data, Lines) and _fits(data, indent))
        return yaml.MappingNode(MAPPING_TAG, pairs, flow_style=is_flow)
    if isinstance(data, Sequence) and not isinstance(data, str):
        is_flow = _fits(data, indent)
        inside = 0 if is_flow else indent + _INDENT
        return yaml.SequenceNode(SEQUENCE_TAG, [_node(item, inside) for item in data], flow_style=is_flow)
    return _scalar(data)


def _fits(data: Data, indent: int) -> bool:
    return indent + sum(_widths(data)) <= _LONGEST_LINE


def _widths(data: Data) -> Iterator[int]:
    """Yield the width of each part on one line; _TOO_WIDE for a part that needs several lines."""
    if isinstance(data, Lines) or (isinstance(data, Paragraph) and "\n" in data):
        yield _TOO_WIDE
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield len(key) + 4
            yield from _widths(value)
    elif isinstance(data, str):
        # In a list or mapping on one line, text with `'` and `[` would need doubled quotes, which are hard to read.
        yield _TOO_WIDE if "'" in data and _QUOTED_IN_FLOW.search(data) else len(data) + 2 * (not _PLAIN.match(data))
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
    """Return ``|`` for a block, or the quotes that YAML 1.2 needs; PyYAML adds those that YAML 1.1 needs."""
    # If a block ended in empty lines, the blank line that is written after it would belong to the text.
    is_block = isinstance(text, Paragraph) and "\n" in text and text.strip() and not text.endswith("\n\n")
    # In a block, other line ends would be read back as line feeds.
    if is_block and not any(line_end in text for line_end in _OTHER_LINE_ENDS):
        return "|"
    if not text.isprintable():
        return '"'
    try:
        return None if isinstance(resolve(text, plain=True), str) else "'"
    except ScalarError:
        return "'"


class _Dumper(yaml.SafeDumper):
    """Writes a blank line between the sections of a file, and indents lists."""

    #: The line on which the previous section began.
    _section_line = 0

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow=flow, indentless=False)

    def expect_block_mapping_key(self, first: bool = False) -> None:  # noqa: FBT001, FBT002
        depth = len(self.indents)
        if depth <= 2 and isinstance(self.event, yaml.ScalarEvent):
            if not first and (depth == 1 or self.line > self._section_line):
                if self.column > 0:
                    self.write_line_break()
                self.write_line_break()
            # The line break before this key is not written yet, unless this is the first key of the file.
            self._section_line = self.line + (self.column > 0)
        super().expect_block_mapping_key(first)
