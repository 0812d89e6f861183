"""Read a table's keys, CHECKs, foreign keys and indexes from schema.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.forms import Columns, Form
from waiaas_migrate.files.schema_file.value_kinds import EXPRESSION, NAME, items, name_problem, named_entries
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Check, ForeignKey, Index, PrimaryKey, Unique

Key = TypeVar("Key", PrimaryKey, Unique, ForeignKey, Index)


class ParsedKey(NamedTuple, Generic[Key]):
    """A key or an index, and its place in the file.

    ``external`` says that the parent of a foreign key need not be in this file. A large schema has many keys, and a
    frozen dataclass would take three times as long to make.
    """

    key: Key
    at: Value
    external: bool = False


ParsedForeignKey = ParsedKey[ForeignKey]


def read_key(make: Callable[..., Key], form: Form, value: Value, columns: Columns) -> ParsedKey[Key] | None:
    """Return a key or an index, which ``make`` builds from the values of the mapping; None if it can't be read."""
    found = form.read(value, columns)
    return None if found is None else ParsedKey(key=make(**found), at=value)


def read_check(value: Value, columns: Columns, *, column: str | None = None) -> Check | None:
    """Return a CHECK of a table, or of ``column`` if the column declares it."""
    found = k.CHECK.read(value, columns)
    return None if found is None else Check(column=column, **found)


def read_checks(fields: Mapping[str, Value], columns: Columns) -> Iterator[Check]:
    """Yield a table's ``checks``: a list, or a mapping of names to expressions."""
    if "checks" in fields and fields["checks"].is_mapping:
        for name, item in named_entries(fields, "checks", "`name: expression`", name_problem):
            if (expression := EXPRESSION.read(item, columns)) is not None:
                yield Check(expression=expression, name=name)
    else:
        for item in items(fields, "checks", "a list of expressions, such as `[a > b]`"):
            if (check := read_check(item, columns)) is not None:
                yield check


def read_foreign_key(value: Value) -> ParsedForeignKey | None:
    """Return the foreign key of one item of a table's ``foreign_keys``."""
    if not value.is_mapping:
        value.problem("expected a mapping.", f"Write {k.FOREIGN_KEY.example}.")
        return None
    fields = k.FOREIGN_KEY.fields(value)
    parent = _read_parent(fields["references"], k.PARENT) if "references" in fields else None
    return _parsed_foreign_key(value, parent, k.FOREIGN_KEY.contents(fields, ()))


def read_references(value: Value, column: str) -> ParsedForeignKey | None:
    """Return the foreign key that the ``references`` of ``column`` declares."""
    return _parsed_foreign_key(value, _read_parent(value, k.REFERENCES), {"columns": (column,), "inline": True})


def _parsed_foreign_key(at: Value, parent: dict[str, Any] | None, child: Mapping[str, Any]) -> ParsedForeignKey | None:
    if parent is None or "columns" not in child:
        return None
    external = parent.pop("external", False)
    return ParsedKey(key=ForeignKey(**child, **parent), at=at, external=external)


def _read_parent(value: Value, form: Form) -> dict[str, Any] | None:
    """Return the values in ``references`` for the model; None without a table."""
    if value.is_mapping:
        found = form.contents(form.fields(value), ())
        return found if "table" in found else None
    text = NAME.read(value, ())
    if text is None:
        return None
    table, dot, column = text.rpartition(".")
    return {"table": table, "targets": (column,)} if dot and table and column else {"table": text}
