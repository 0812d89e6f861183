"""Where each text of a schema.yaml stands, for what is found wrong only once SQLite has seen the schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.report import Origin
from waiaas_migrate.files.schema_file.reader import display_name
from waiaas_migrate.files.yaml_text.source import MappingNode, Node, ScalarNode, SequenceNode, join, read_yaml

Steps = tuple[str, ...]


def texts(path: Path, *, root: Path) -> Iterator[tuple[Steps, Origin, str]]:
    """Each single value of the file that is text: the keys that lead to it, its place, and the text."""
    file = display_name(path, root)
    yield from _texts(read_yaml(path, name=file), Origin(file=file), ())


def _texts(node: Node, at: Origin, steps: Steps) -> Iterator[tuple[Steps, Origin, str]]:
    match node:
        case MappingNode():
            for key, value in node.entries:
                yield from _texts(value, replace(at, path=join(at.path, key.text)), (*steps, key.text))
        case SequenceNode():
            for number, item in enumerate(node.items):
                yield from _texts(item, replace(at, path=f"{at.path}[{number}]"), (*steps, str(number)))
        case ScalarNode(value=str() as text):
            line, column = node.position
            yield steps, replace(at, line=line, column=column), text
        case _:
            return


def declared_names(path: Path) -> frozenset[str]:
    """Return the names of the tables, views and virtual tables in the file; none if it is missing or broken."""
    try:
        root = read_yaml(path, name=str(path))
    except SchemaFileError:
        return frozenset()
    sections = {entry.key.text: entry.value for entry in root.entries} if isinstance(root, MappingNode) else {}
    found = (sections.get(name) for name in ("tables", "views", "virtual_tables"))
    return frozenset(entry.key.text for node in found if isinstance(node, MappingNode) for entry in node.entries)


def located(problems: Iterable[Problem], path: Path, *, root: Path) -> list[Problem]:
    """``problems`` with the file's name, and with the line and column of each whose key path is in the file."""
    file = display_name(path, root)
    places = {origin.path: origin for _, origin, _ in texts(path, root=root)}
    found = [(problem, places.get(problem.path, Origin(file=file))) for problem in problems]
    return [replace(problem, file=file, line=at.line, column=at.column) for problem, at in found]
