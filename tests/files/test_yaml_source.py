"""YAML is read as YAML 1.2, every value has its place, and no file can crash or stall the reader."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.yaml_text.scalars import Scalar, resolve
from waiaas_migrate.files.yaml_text.yaml_reader import (
    LOADER,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    parse_yaml,
    position,
    read_yaml,
)

INDENT = "Correct the indentation, or put the whole value in quotes."
TAB = "a tab is used to indent. YAML indents with spaces only; replace the tab."


def data(node: Node) -> object:
    """Return a tree as plain values."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [data(item) for item in node.items]
        case MappingNode():
            return {entry.key.value: data(entry.value) for entry in node.entries}


def complaint(text: str, loader: type[Any] = LOADER) -> str:
    """Return the error for a text that can't be read."""
    with pytest.raises(SchemaFileError) as caught:
        parse_yaml(text, name="s.yaml", loader=loader)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, word) for word in ("ON", "NO", "yes", "off", "y", "n", "On", "tRue", "nULL")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, None) for word in ("null", "Null", "NULL", "~", "")),
        *((word, word) for word in ("1:30", "2020-01-01", "1_000", "0b1", "-0x1", "0o8", "1.2.3", "-", ".", "1e")),
        ("0o17", 15),
        ("0x1F", 31),
        ("0777", 777),
        ("+12", 12),
        ("-64000", -64000),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.INF", float("-inf")),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: Scalar) -> None:
    """YAML 1.1's booleans, dates, octal and sexagesimal numbers are read as YAML 1.2 defines them."""
    assert resolve(text, plain=True) == value
    assert type(resolve(text, plain=True)) is type(value)
    assert resolve(text, plain=False) == text


def test_tags_for_text_and_collections() -> None:
    """Quotes, `!` and `!!str` make a text; lists and mappings may have their own tags."""
    text = "[!!str 5, ! 5, '5', \"ON\", !!seq [], !!map {}]"
    assert data(parse_yaml(text, name="s.yaml")) == ["5", "5", "5", "ON", [], {}]


def test_positions_count_from_one() -> None:
    """Every key and value has its line and column."""
    root = parse_yaml("a: 1\nb:\n  - x\n  - é: 'y'\n", name="s.yaml")
    assert isinstance(root, MappingNode)
    listed = root.entries[1].value
    assert isinstance(listed, SequenceNode)
    inner = listed.items[1]
    assert isinstance(inner, MappingNode)
    assert position(root.entries[1].key) == (2, 1)
    assert position(inner.entries[0].value) == (4, 8)


def test_aliases_repeat_a_value() -> None:
    """An alias repeats its anchor's value; a later anchor of the same name replaces the first."""
    text = "a: &x {k: 1}\nb: *x\nc: &x 2\nd: *x\n"
    assert data(parse_yaml(text, name="s.yaml")) == {"a": {"k": 1}, "b": {"k": 1}, "c": 2, "d": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n\tb: 1", "s.yaml:2:1: a tab is used to indent. Replace it: YAML indents with spaces only."),
        ("a: b\n\t\tc", "s.yaml:2:1: a tab is used to indent. Replace it: YAML indents with spaces only."),
        (
            "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n",
            "s.yaml:2:1: a merge conflict begins here. Keep what both branches need, and remove git's marks.",
        ),
        (
            "a: 'x\nb: 1",
            "s.yaml:1:4: the quote that opens here is never closed. Close it. For a quote inside the text, write `''` in single quotes or `\"` in double quotes.",
        ),
        (
            "a: [1,\nb: 2",
            "s.yaml:1:4: the list that opens here is not closed. Add the missing `,` or `]`, or quote the value if it contains a comma or bracket.",
        ),
        (
            "a: {x: 1",
            "s.yaml:1:4: the mapping that opens here is not closed. Add the missing `,` or `}`, or quote the value if it contains a comma or bracket.",
        ),
        (
            "a: b: c",
            "s.yaml:1:5: unexpected colon. Quote a value that contains `: `, or correct the indentation of this line.",
        ),
        (
            "a:\n  b: 1\n c: 2",
            "s.yaml:3:2: this does not fit the lines above. Correct the indentation, or put the whole value in quotes.",
        ),
        (
            "a: 'b'c",
            "s.yaml:1:7: this does not fit the lines above. Correct the indentation, or put the whole value in quotes.",
        ),
        ("a: @x", "s.yaml:1:4: a value can't begin with `@`. Put the value in quotes."),
        ("a: }", "s.yaml:1:4: a value is missing before this character. Write the value, or remove the character."),
        (
            "  a: 1\nb: 2",
            "s.yaml:2:1: this does not belong to the lines above. Begin every top-level key in the first column.",
        ),
        ("%YAML 3.0\n---\na: 1", "s.yaml:1:1: unknown YAML version. Remove the %YAML line."),
        ("a: !x!y 1", "s.yaml:1:4: unknown tag. Quote a value that begins with `!`."),
        ("a: 1\n---\nb: 1", "s.yaml:2:1: a second document begins here. Remove the `---`."),
        ("", "s.yaml: the file is empty. Begin it with `version: 1`."),
        ("# nothing\n", "s.yaml: the file is empty. Begin it with `version: 1`."),
        (
            "a: !!python/object/apply:os.system [touch pwned]",
            "s.yaml:1:4, a: the tag `!!python/object/apply:os.system` is not allowed. Remove it; only plain YAML is read.",
        ),
        ("a: !!int 5", "s.yaml:1:4, a: the tag `!!int` is not allowed. Remove it; only plain YAML is read."),
        ("a: &b [*b]", "s.yaml:1:8, a[0]: the alias `*b` is inside the value that it repeats. Write the value out."),
        ("a: *b", "s.yaml:1:4, a: unknown alias `*b`. Put text that begins with `*` in quotes."),
        (
            "a: &x {b: 1}\nc: {<<: *x}",
            "s.yaml:2:5, c: YAML 1.2 has no merge keys (`<<`). Write the keys out, or use an alias for a whole value.",
        ),
        (
            "? [a]\n: 1",
            "s.yaml:1:3: a key can't be a list or a mapping. Use text as the key; put text that begins with `{` or `[` in quotes.",
        ),
        ('a: "\\0"', "s.yaml:1:4, a: the text contains a character that SQL can't hold. Remove the escape."),
        (
            f"a: {'9' * 200_000}",
            "s.yaml:1:4, a: the integer does not fit into SQLite's 64 bits. Put it in quotes, or make it smaller.",
        ),
        ("[" * 100_000, "s.yaml:1:65: values are nested more than 64 deep. Look for brackets that are not closed."),
        ("- " * 100_000, "s.yaml:1:129: values are nested more than 64 deep. Look for brackets that are not closed."),
        ("{a: " * 100_000, "s.yaml:1:257: values are nested more than 64 deep. Look for brackets that are not closed."),
    ],
)
@pytest.mark.parametrize("loader", [LOADER, yaml.SafeLoader])
def test_broken_yaml_is_explained(text: str, said: str, loader: type[Any]) -> None:
    """The message has the place, the problem and the fix, with either of PyYAML's parsers."""
    assert complaint(text, loader) == said


def test_all_duplicate_keys_are_reported() -> None:
    """Duplicate keys are errors at any depth; keys that differ in case are not duplicates."""
    assert complaint("a: 1\nb: {c: 1, c: 2}\nA: 1\na: 2\n") == (
        "s.yaml:2:11, b.c: duplicate key `c`, first in line 2. Remove one of them.\n"
        "s.yaml:4:1, a: duplicate key `a`, first in line 1. Remove one of them."
    )


def test_aliases_cannot_exhaust_memory() -> None:
    """Reading stops long before the ten billion values of this file."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    said = "s.yaml:6:45, a5[7]: the file holds more than 1,000,000 values. Check that it is the file you mean."
    assert complaint("\n".join(lines)) == said


def said_of(path: Path) -> str:
    """Return the error for a file that can't be read."""
    with pytest.raises(SchemaFileError) as caught:
        read_yaml(path, name="s.yaml", missing="Make one.")
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version: 1\nna\xefve: 1\n", "s.yaml:2:3: the byte 0xEF here is not UTF-8. Save the file as UTF-8."),
        (b"\xef\xbb\xbfa: \xff", "s.yaml:1:4: the byte 0xFF here is not UTF-8. Save the file as UTF-8."),
        ("a: 1".encode("utf-16"), "s.yaml: the file is UTF-16 or UTF-32, not UTF-8. Save it as UTF-8."),
        (b"a: \0", "s.yaml:1:4: the character U+0000 here is not text. Remove it; it may not show in an editor."),
        (
            b"a: 1\nb: \x1b",
            "s.yaml:2:4: the character U+001B here is not text. Remove it; it may not show in an editor.",
        ),
        (b"", "s.yaml: the file is empty. Begin it with `version: 1`."),
        (b" " * (16 * 1024 * 1024 + 1), "s.yaml: the file is larger than 16 MiB. Check that it is the file you mean."),
    ],
)
def test_files_that_are_not_text_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """The error names the first byte or character that is not text, with its place."""
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    assert said_of(path) == said


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    """A byte order mark, which some editors write at the beginning of a UTF-8 file, is ignored."""
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert data(read_yaml(path, name="s.yaml")) == {"a": 1}


def test_paths_that_are_not_files_are_refused(tmp_path: Path) -> None:
    """A missing file, a directory, a pipe and an impossible name each have their message, and none blocks."""
    os.mkfifo(tmp_path / "pipe")
    assert said_of(tmp_path / "none.yaml") == "s.yaml: no such file. Make one."
    assert said_of(tmp_path) == "s.yaml: this is a directory, not a file. Name a file."
    assert said_of(tmp_path / "pipe") == "s.yaml: the file can't be read: it is not a regular file. Name another file."
    assert re.match("s.yaml: the file can't be read: .*embedded null", said_of(tmp_path / "a\0b"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A file without read permission is refused by name."""
    path = tmp_path / "s.yaml"
    path.touch(mode=0)
    assert said_of(path) == "s.yaml: you don't have permission to read the file. Change its permissions."


@given(st.text(alphabet="a1:-?[]{}&*!|>'\"%@`#, \n\t\\~<", max_size=60))
def test_no_text_does_more_than_fail(text: str) -> None:
    """Any text gives an error or a tree, and PyYAML's own tree has the same structure."""
    try:
        node = parse_yaml(text, name="s.yaml")
    except SchemaFileError:
        return
    assert shape(yaml.compose(text, Loader=LOADER)) == shape_of(node)


def shape(node: object) -> object:
    """Return the structure of PyYAML's tree, with the text of each scalar."""
    if isinstance(node, yaml.SequenceNode):
        return [shape(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return [(shape(key), shape(value)) for key, value in node.value]
    return getattr(node, "value", None)


def shape_of(node: Node) -> object:
    """Return the structure of this package's tree in the same form."""
    match node:
        case SequenceNode():
            return [shape_of(item) for item in node.items]
        case MappingNode():
            return [(entry.key.text, shape_of(entry.value)) for entry in node.entries]
        case ScalarNode():
            return node.text
