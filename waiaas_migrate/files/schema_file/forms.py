"""Define the keys of a mapping in schema.yaml: how each is read, written and described."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.files.yaml_text.yaml_writer import Data

#: The names of a table's columns, which SQL may refer to.
Columns: TypeAlias = Collection[str]


def unsupported(where: str, why: str) -> UnsupportedError:
    """Return the error for something that schema.yaml can't hold; ``where`` names it."""
    return UnsupportedError(f"{where} can't be written to schema.yaml: {why}")


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of value that a key has.

    Args:
        holds: the type, as JSON Schema names it.
        read: returns the content of a value; reports a problem and returns None if it can't be read.
        write: returns the content as YAML data, or None to leave it out; the text names its place in errors.
    """

    holds: str
    read: Callable[[Value, Columns], Any] = lambda _value, _columns: None
    write: Callable[[Any, Columns, str], Data] = lambda _content, _columns, _where: None


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its kind, a description, and its name in the model if that differs."""

    kind: Kind
    description: str
    attribute: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The keys of one kind of mapping.

    Args:
        keys: the keys by name, in the order in which they are written.
        example: what to write, for the message about a value that isn't such a mapping.
        short: the key whose value can replace the whole mapping; it is required.
        required: other required keys, each with what to do if it is missing.
        instead: keys of other tools, each with what to write instead.
    """

    keys: Mapping[str, Key]
    example: str = ""
    short: str = ""
    required: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)

    def fields(self, value: Value) -> dict[str, Value]:
        """Return the values of the mapping by key; report unknown and missing keys."""
        if self.short and not value.is_mapping:
            return {self.short: value}
        found = value.fields(self.keys, self.example, self.instead)
        if self.short and self.short not in found:
            value.key_problem(f"`{self.short}` is missing.", f"Write {self.example}.")
        for name, fix in self.required.items():
            if value.is_mapping and name not in found:
                value.key_problem(f"`{name}` is missing.", fix)
        return found

    def contents(self, fields: Mapping[str, Value], columns: Columns) -> dict[str, Any]:
        """Read ``fields`` into arguments for the model, without those that can't be read."""
        found: dict[str, Any] = {}
        for name, value in fields.items():
            key = self.keys[name]
            content = key.kind.read(value, columns)
            if content is not None:
                found[key.attribute or name] = content
        return found

    def read(self, value: Value, columns: Columns) -> dict[str, Any] | None:
        """Read ``value`` into arguments for the model; None if its short key is missing or can't be read."""
        found = self.contents(self.fields(value), columns)
        is_complete = not self.short or (self.keys[self.short].attribute or self.short) in found
        return found if is_complete else None

    def write(self, model: object, columns: Columns, where: str) -> dict[str, Data]:
        """Return the keys that ``model`` has values for, in their order.

        Raises:
            UnsupportedError: schema.yaml can't hold one of them.
        """
        fields: dict[str, Data] = {}
        for name, key in self.keys.items():
            content = getattr(model, key.attribute or name, None)
            if content is not None and content is not False:
                fields[name] = key.kind.write(content, columns, where)
        return {name: data for name, data in fields.items() if data is not None}

    def shortest(self, model: object, columns: Columns, where: str) -> Data:
        """Return ``model`` in the short form if that says everything, else as a mapping."""
        fields = self.write(model, columns, where)
        return fields[self.short] if fields.keys() == {self.short} else fields
