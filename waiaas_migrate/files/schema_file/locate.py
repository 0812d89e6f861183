"""Where each text of a schema.yaml stands, for what is found wrong only once SQLite has seen the schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.load_schema import display_name
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, SequenceNode, join, read_yaml
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.unknown_names import names_it

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


def _keys(node: Node, at: Origin) -> Iterator[Origin]:
    """The place of each key."""
    for key, value in node.entries if isinstance(node, MappingNode) else ():
        line, column = key.position
        here = replace(at, path=join(at.path, key.text), line=line, column=column)
        yield here
        yield from _keys(value, here)


def placed(hazards: Iterable[Hazard], path: Path, *, root: Path) -> tuple[Hazard, ...]:
    """Return ``hazards``, and for each unknown function or collation the place in the file that names it."""
    found = tuple(hazards)
    if not any(hazard.name for hazard in found):
        return found
    known = [(steps, f"{at.file}:{at.line}:{at.column}", text) for steps, at, text in texts(path, root=root)]

    def place(hazard: Hazard) -> str:
        owner = {fold(part) for part in hazard.where.split(".")}
        named = [(steps, where) for steps, where, text in known if hazard.name and _names(steps, text, hazard)]
        own = [where for steps, where in named if owner <= set(map(fold, steps))]
        return next(iter(own or (where for _, where in named)), "")

    return tuple(replace(hazard, place=place(hazard)) for hazard in found)


def _names(steps: Steps, text: str, hazard: Hazard) -> bool:
    if steps[-1] == "collate" and hazard.code is Code.UNKNOWN_COLLATION:
        return fold(text) == hazard.name
    return steps[-1] != "comment" and names_it(text, hazard.code, hazard.name)


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
    places = {at.path: at for at in _keys(read_yaml(path, name=file), Origin(file=file))}
    places |= {origin.path: origin for _, origin, _ in texts(path, root=root)}
    found = [(problem, places.get(problem.path, Origin(file=file))) for problem in problems]
    return [replace(problem, file=file, line=at.line, column=at.column) for problem, at in found]
