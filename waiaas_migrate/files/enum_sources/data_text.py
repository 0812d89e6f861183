"""Read enums from YAML or JSON: a mapping of names to lists, or to mappings of members to values."""

from __future__ import annotations

from pathlib import Path

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.enum_sources.expressions import Computed, Constant, Expression, Items, Members, Module
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, SequenceNode, parse_yaml, position


def parse_data(text: str, path: Path, file: str) -> Module:
    """Return the names in a YAML file, or in a JSON file, because JSON is also YAML.

    Raises:
        SchemaFileError: the file isn't YAML, or isn't a mapping.
    """
    node = parse_yaml(text, name=file)
    if not isinstance(node, MappingNode):
        problem = Origin(file=file, line=1).problem("expected a mapping of names to lists.", "Write `NAME: [a, b]`.")
        raise SchemaFileError([problem])
    return mapping_module(node, path, file)


def mapping_module(node: MappingNode, path: Path, file: str) -> Module:
    """Return the keys of ``node``, a mapping in ``file``, as the names of a module."""
    return Module(path=path, file=file, names={key.text: _expression(value) for key, value in node.entries})


def _expression(node: Node) -> Expression:
    at = position(node)
    match node:
        case SequenceNode(items=items):
            return Items(tuple(_constant(item) for item in items), at)
        case MappingNode(entries=entries):
            return Members(tuple((key.text, _constant(value)) for key, value in entries), at)
        case _:
            return Computed(at)


def _constant(node: Node) -> Expression:
    at = position(node)
    if isinstance(node, ScalarNode) and isinstance(node.value, str | int) and not isinstance(node.value, bool):
        return Constant(node.value, at)
    return Computed(at)
