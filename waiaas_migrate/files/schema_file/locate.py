"""Find the places in schema.yaml of problems that were found after the file was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.files.yaml_text.yaml_reader import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    join,
    position,
    read_yaml,
)
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.planning.unknown_names import uses_name

#: The keys that lead to a value.
Steps = tuple[str, ...]


def texts(path: Path, *, root: Path) -> Iterator[tuple[Steps, Origin, str]]:
    """Yield each text value: the keys that lead to it, its place, and the text."""
    return ((steps, at, text) for steps, at, text in places(path, root) if text is not None)


def places(path: Path, root: Path) -> Iterator[tuple[Steps, Origin, str | None]]:
    """Yield each key and each text value with its place; a value comes after its key."""
    file = display_name(path, root)
    yield from _below(read_yaml(path, name=file), Origin(file=file), ())


def _below(node: Node, at: Origin, steps: Steps) -> Iterator[tuple[Steps, Origin, str | None]]:
    match node:
        case MappingNode():
            for key, value in node.entries:
                line, column = position(key)
                here = replace(at, path=join(at.path, key.text), line=line, column=column)
                yield (*steps, key.text), here, None
                yield from _below(value, here, (*steps, key.text))
        case SequenceNode():
            for number, item in enumerate(node.items):
                yield from _below(item, replace(at, path=f"{at.path}[{number}]"), (*steps, str(number)))
        case ScalarNode(value=str() as text):
            line, column = position(node)
            yield steps, replace(at, line=line, column=column), text
        case ScalarNode():
            return


def placed(hazards: Iterable[Hazard], path: Path, *, root: Path) -> tuple[Hazard, ...]:
    """Return ``hazards``, with places for those about a hint, a literal, a function or a collation."""
    found = tuple(hazards)
    if not any(hazard.name for hazard in found):
        return found
    lines = path.read_text(encoding="utf-8").splitlines()
    known = tuple(texts(path, root=root))

    def place(hazard: Hazard) -> str:
        owner = {fold(part) for part in hazard.where.split(".")}
        named = [(steps, at, text) for steps, at, text in known if hazard.name and _names(steps, text, hazard)]
        own = [(at, text) for steps, at, text in named if owner <= set(map(fold, steps))]
        is_value = hazard.code is Code.STALE_VALUE  # other objects may use the value with other columns
        found = next(iter(own or ((at, text) for _, at, text in named if not is_value)), None)
        return "" if found is None else _shown_place(*found, lines, hazard.name if is_value else "")

    return tuple(replace(hazard, place=place(hazard)) for hazard in found)


def _shown_place(at: Origin, text: str, lines: Sequence[str], literal: str) -> str:
    """Return the place of ``text`` or, if it has several lines, of the first line with ``literal``."""
    first = at.line or 1
    last = min(first + text.count("\n") + 1, len(lines)) if literal and "\n" in text else first
    for number in range(first + 1, last + 1):
        if literal in lines[number - 1]:
            return f"{at.file}:{number}:{lines[number - 1].index(literal) + 1}"
    return f"{at.file}:{at.line}:{at.column}"


def _names(steps: Steps, text: str, hazard: Hazard) -> bool:
    if hazard.code in (Code.SWAP_NAMES, Code.NARROW_TYPE):
        return steps[-1] == hazard.name
    if steps[-1] == "collate" and hazard.code is Code.UNKNOWN_COLLATION:
        return fold(text) == hazard.name
    return steps[-1] != "comment" and uses_name(text, hazard.code, hazard.name)


def declared_names(path: Path) -> frozenset[str]:
    """Return the names of the tables, views and virtual tables in the file; none if it is missing or broken."""
    sections = ("tables", "views", "virtual_tables")
    try:
        keys = [steps for steps, _, text in places(path, path.parent) if text is None]
    except SchemaFileError:
        return frozenset()
    return frozenset(steps[1] for steps in keys if len(steps) == 2 and steps[0] in sections)


def located(problems: Iterable[Problem], path: Path, *, root: Path) -> list[Problem]:
    """Return ``problems`` with the file's name, and a line and column for each key path that is in the file.

    The case of names is ignored, because the migrations may spell them differently.
    """
    file = display_name(path, root)
    found_at = {fold(at.path): at for _, at, _ in places(path, root)}
    found = [(problem, found_at.get(fold(problem.path), Origin(file=file))) for problem in problems]
    return [replace(problem, file=file, line=at.line, column=at.column) for problem, at in found]
