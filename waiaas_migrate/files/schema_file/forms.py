"""Types that describe schema.yaml: ``Form`` for mappings, ``Kind`` for values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.schema_file.shapes import Shape
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.files.yaml_text.yaml_writer import Data

#: The names of a table's columns. In an expression, double quotes around another word make it text.
Columns: TypeAlias = Collection[str]


def unsupported(where: str, why: str) -> UnsupportedError:
    """Return the error for ``where``, an item that schema.yaml can't express."""
    return UnsupportedError(f"{where} can't be written to schema.yaml: {why}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value in schema.yaml, such as a name, a flag or an expression.

    Args:
        shape: the JSON Schema of such values.
        read: turns a YAML value into the model's value, or reports a problem and returns None.
        write: turns the model's value into YAML data; None leaves the key out. The third argument names the item in
            errors.
    """

    shape: Shape
    read: Callable[[Value, Columns], Any] = lambda _value, _columns: None
    write: Callable[[Any, Columns, str], Data] = lambda _content, _columns, _where: None


@dataclass(frozen=True, slots=True)
class Key:
    """A key of schema.yaml.

    Args:
        kind: the kind of value that the key takes.
        description: the meaning of the key, in Markdown, for docs/schema-file.md and for editors.
        attribute: the attribute of the model that holds the value; empty if it has the key's name.
        example: a line of YAML that uses the key.
    """

    kind: Kind
    description: str
    attribute: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A kind of mapping in schema.yaml, such as a table, a column or a foreign key.

    Args:
        keys: the keys by name, in the order in which they are written.
        example: a valid mapping, for messages.
        short: a required key whose value may be written in place of the whole mapping; empty if there is none.
        required: other required keys, each with the fix to suggest if it is missing.
        exclusive: keys of which at most one may be set.
        one_of: keys of which exactly one must be set.
        instead: keys that other tools use, each with the fix to suggest.
    """

    keys: Mapping[str, Key]
    example: str = ""
    short: str = ""
    required: Mapping[str, str] = field(default_factory=dict)
    exclusive: Sequence[str] = ()
    one_of: Sequence[str] = ()
    instead: Mapping[str, str] = field(default_factory=dict)

    def fields(self, value: Value) -> dict[str, Value]:
        """Return the values of a mapping; report unknown, missing and conflicting keys."""
        if self.short and not value.is_mapping:
            return {self.short: value}
        found = value.fields(self.keys, self.example, self.instead)
        if self.short and self.short not in found:
            value.key_problem(f"`{self.short}` is missing.", f"Write {self.example}.")
        for name, fix in self.required.items():
            if value.is_mapping and name not in found:
                value.key_problem(f"`{name}` is missing.", fix)
        self._check_choices(value, found)
        return found

    def _check_choices(self, value: Value, found: Mapping[str, Value]) -> None:
        chosen = [name for name in self.exclusive if name in found]
        for name in chosen[1:]:
            found[name].key_problem(f"both `{chosen[0]}` and `{name}` are set.", "Keep one.")
        if self.one_of and value.is_mapping and len(found.keys() & set(self.one_of)) != 1:
            choice = " or ".join(f"`{name}`" for name in self.one_of)
            value.problem(f"expected either {choice}.", f"Write {self.example}.")

    def contents(self, fields: Mapping[str, Value], columns: Columns) -> dict[str, Any]:
        """Return ``fields`` as arguments for the model; report and omit invalid values."""
        found: dict[str, Any] = {}
        for name, value in fields.items():
            key = self.keys[name]
            content = key.kind.read(value, columns)
            if content is not None:
                found[key.attribute or name] = content
        return found

    def read(self, value: Value, columns: Columns) -> dict[str, Any] | None:
        """Return ``value`` as arguments for the model; None if the form's short key is missing or invalid."""
        found = self.contents(self.fields(value), columns)
        is_complete = not self.short or (self.keys[self.short].attribute or self.short) in found
        return found if is_complete else None

    def write(self, model: object, columns: Columns, where: str) -> dict[str, Data]:
        """Return the mapping for ``model``, with the keys for which it has a value.

        Raises:
            UnsupportedError: schema.yaml can't express one of the values; ``where`` names the item in the message.
        """
        fields: dict[str, Data] = {}
        for name, key in self.keys.items():
            content = getattr(model, key.attribute or name, None)
            if content is not None and content is not False:
                fields[name] = key.kind.write(content, columns, where)
        return {name: data for name, data in fields.items() if data is not None}

    def shortest(self, model: object, columns: Columns, where: str) -> Data:
        """Return only the value of the short key if no other is set, else the mapping."""
        fields = self.write(model, columns, where)
        return fields[self.short] if fields.keys() == {self.short} else fields
