"""Read from schema.yaml where enums are defined, and which enums the columns use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.enum_sources.load_enums import EnumSource
from waiaas_migrate.files.problem_report import Report
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, read_yaml
from waiaas_migrate.files.yaml_text.yaml_values import Value

_EXAMPLE = "a module or file, such as `app.enums` or `src/enums.ts`"


def declared_sources(path: Path, *, root: Path) -> tuple[EnumSource, ...]:
    """Return the enum sources that schema.yaml names; none if it doesn't exist.

    Raises:
        SchemaFileError: the file can't be read.
    """
    if not path.exists():
        return ()
    file, report = display_name(path, root), Report()
    node = read_yaml(path, name=file)
    entries = Value(node, node, file, report).scalar_entries("")
    sources = tuple(source for key, value in entries if key == "enums" for source in read_sources(value))
    if problems := report.problems():
        raise SchemaFileError(problems)
    return sources


def read_sources(value: Value) -> Iterator[EnumSource]:
    """Yield the sources in ``enums``: a name, a mapping of enums, or a list of both."""
    for item in value.items("a list of modules and files") if value.is_list else [value]:
        if isinstance(item.node, MappingNode):
            yield EnumSource(item.file, item.origin, item.node)
        elif (not item.is_null or value.is_list) and (name := item.text(_EXAMPLE)) is not None:
            yield EnumSource(name, item.origin)


def referenced_enums(tables: Value | None) -> frozenset[str]:
    """Return the names of the enums that columns use; skip invalid parts."""
    names = set[str]()
    for table in _child_nodes(tables.node if tables is not None else None):
        for column in _child_nodes(_child_node(table, "columns")):
            enum = _child_node(column, "enum")
            name = _child_node(enum, "name") if isinstance(enum, MappingNode) else enum
            if isinstance(name, ScalarNode) and isinstance(name.value, str):
                names.add(name.value)
    return frozenset(names)


def _child_nodes(node: Node | None) -> list[Node]:
    return [entry.value for entry in node.entries] if isinstance(node, MappingNode) else []


def _child_node(node: Node | None, key: str) -> Node | None:
    entries = node.entries if isinstance(node, MappingNode) else ()
    return next((entry.value for entry in entries if entry.key.value == key), None)
