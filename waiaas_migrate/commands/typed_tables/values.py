"""Choose the Python type of a column's values, and the SQLAlchemy type that converts them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from waiaas_migrate.commands.typed_tables.python_text import Call, Code, Text, call, quoted
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema, EnumUse
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.enum_lists import values_in_lists
from waiaas_migrate.schema.model import Column, LogicalType, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.allowed_values import literal_value

_JSON = "dict[str, Any]"
#: The logical types of schema.yaml: the Python type of the values, and the column type in waiaas_migrate.sqlalchemy.
_LOGICAL: dict[LogicalType, tuple[str, str]] = {
    "boolean": ("bool", "BooleanInteger"),
    "timestamp": ("datetime", "Timestamp"),
    "json": (_JSON, "JsonText"),
    "uuid": ("UUID", "UuidText"),
}
#: Declared types without their numbers: the SQLAlchemy type, and the Python type of the values.
_DECLARED = {
    "TEXT": ("sa.Text", "str"),
    "INTEGER": ("sa.Integer", "int"),
    "BLOB": ("sa.LargeBinary", "bytes"),
    "NUMERIC": ("sa.Numeric", "float"),
    **{name: (f"sa.{name}", "str") for name in ("VARCHAR", "CHAR", "NVARCHAR", "NCHAR", "CLOB")},
    **{name: (f"sa.{name}", "int") for name in ("BIGINT", "SMALLINT")},
    **{name: (f"sa.{name}", "float") for name in ("REAL", "FLOAT", "DOUBLE", "DECIMAL")},
    "BOOLEAN": ("sa.BOOLEAN", "bool"),
    "DATE": ("sa.DATE", "date"),
    **{name: (f"sa.{name}", "datetime") for name in ("DATETIME", "TIMESTAMP")},
    "TIME": ("sa.TIME", "time"),
    "JSON": ("sa.JSON", _JSON),
}
_PARTS = re.compile(r"(?P<words>[^()]*?)\s*(?:\((?P<numbers>[\d\s,]+)\))?\s*\Z")
_NUMBERS_ALLOWED = {"str": 1, "float": 2}
_AFFINITY_TYPES = {"TEXT": "str", "REAL": "float", "NUMERIC": "Any", "BLOB": "Any"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The input of the generator: a declared schema, and the enums that the module can import, by name."""

    declared: DeclaredSchema
    enums: Mapping[str, EnumDefinition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The Python type of a column's values, without None, and the SQLAlchemy type.

    ``alias`` is the definition of ``annotation`` if the module must define this name. ``is_literal``: ``annotation`` is
    a Literal. ``constants`` are the Python code of values that a default may have, such as ``State.OPEN``.
    """

    annotation: str
    type: Code
    alias: Code | None = None
    is_literal: bool = False
    constants: Mapping[str | int, str] = field(default_factory=dict)

    def default(self, column: Column) -> tuple[str, Code] | None:
        """Return the name and value of the option for the column's default; None if only SQLite can compute it."""
        value = _default_value(column)
        if value in ("{}", "[]") and "Any" in self.annotation:
            return "default_factory", "dict" if value == "{}" else "list"
        if value is not None and value in self.constants:
            return "default", self.constants[value]
        if isinstance(value, str) and (self.annotation == "str" or self.is_literal):
            return "default", Text(value)
        is_number = isinstance(value, int) and (self.annotation in ("int", "float") or self.is_literal)
        return ("default", str(value)) if is_number else None


def _default_value(column: Column) -> str | int | None:
    return None if column.default is None else literal_value(json.loads(column.default.key))


def values_of(table: Table, column: Column, source: Source, alias: str) -> Values:
    """Return the types of the values of ``column``; ``alias`` is a free name for a Literal."""
    if column.logical_type is None:
        plain = _by_declared_type(column, strict=table.strict)
        return _by_enum(table, column, source, plain) or _literal(table, column, plain, alias) or plain
    annotation, kind = _LOGICAL[column.logical_type]
    if annotation == _JSON and _default_value(column) == "[]":
        annotation = "list[Any]"
    return Values(annotation=annotation, type=kind, constants={0: "False", 1: "True"} if annotation == "bool" else {})


def _by_enum(table: Table, column: Column, source: Source, plain: Values) -> Values | None:
    """Return the application's class or type for a column with an enum; None if the module can't use it."""
    name = f"{table.name}.{column.name}"
    use = next((use for use in source.declared.enums if name in use.columns), None)
    if use is None or (definition := source.enums.get(use.name)) is None:
        return None
    if definition.shape == "type":
        return replace(plain, annotation=use.name, is_literal=True)
    enum_class = _enum_class(definition, use, source)
    if enum_class is None:
        return None
    members, allowed = frozenset[str | int](enum_class.members), values_in_lists(table, column)
    by_names = allowed == members and allowed != frozenset(enum_class.values)
    kind = _enum_type(enum_class, column.type or "", by_names=by_names)
    if kind is None or enum_class.name.startswith("_"):
        return None
    stored = enum_class.members if by_names else enum_class.values
    constants = {value: f"{enum_class.name}.{member}" for value, member in zip(stored, enum_class.members, strict=True)}
    return Values(annotation=enum_class.name, type=kind, constants=constants)


def _enum_type(enum_class: EnumDefinition, declared: str, *, by_names: bool) -> Call | None:
    """Return the SQLAlchemy type for ``enum_class`` in a column of the type ``declared``; None if no type can store it.

    ``by_names`` stores the names of the members instead of their values.
    """
    kinds = {type(value) for value in enum_class.values}
    match = re.fullmatch(r"VARCHAR ?\( ?(\d+) ?\)", declared.upper())
    if match is not None and (by_names or kinds == {str}):
        # By default, SQLAlchemy's Enum stores the names of the members.
        values = None if by_names else "lambda kind: [member.value for member in kind]"
        return call("sa.Enum", enum_class.name, native_enum=False, length=match[1], values_callable=values)
    names = {("TEXT", str): "EnumText", ("INTEGER", int): "EnumInteger"}
    name = names.get((declared.upper(), next(iter(kinds))))
    return None if name is None or by_names or len(kinds) > 1 else call(name, enum_class.name)


def _enum_class(definition: EnumDefinition, use: EnumUse, source: Source) -> EnumDefinition | None:
    """Return the enum class for a definition: the class itself, or the only class with the values of a list."""
    if _is_class(definition):
        return definition
    classes = filter(_is_class, source.enums.values())
    equal = [enum for enum in classes if enum.values == use.values and not enum.name.startswith("_")]
    return equal[0] if len(equal) == 1 else None


def _is_class(definition: EnumDefinition) -> bool:
    return definition.shape == "class" and bool(definition.members)


def _literal(table: Table, column: Column, plain: Values, alias: str) -> Values | None:
    """Return a Literal of the values that a CHECK of the column lists; None if no CHECK does."""
    lists = (check.allowed for check in table.checks if check.allowed is not None)
    allowed = next((values for values in lists if fold(values.column) == fold(column.name)), None)
    if allowed is None or {type(value).__name__ for value in allowed.values} != {plain.annotation}:
        return None
    values = (Text(value) if isinstance(value, str) else str(value) for value in dict.fromkeys(allowed.values))
    items = tuple(("", value) for value in values)
    return replace(plain, annotation=alias, alias=Call(opening="Literal[", items=items, closing="]"), is_literal=True)


def _by_declared_type(column: Column, *, strict: bool) -> Values:
    declared = column.type or ""
    match = _PARTS.match(" ".join(declared.upper().split()))
    numbers = re.findall(r"\d+", match["numbers"] or "") if match else []
    known = _DECLARED.get(match["words"]) if match else None
    if known is None or len(numbers) > _NUMBERS_ALLOWED.get(known[1], 0):
        annotation = "int" if "INT" in declared.upper() else _AFFINITY_TYPES[affinity(declared, strict=strict)]
        return Values(annotation=annotation, type=call("Declared", Text(declared)))
    name, annotation = known
    kind = call(
        name,
        *numbers,
        # SQLite can't store Decimal. SQLAlchemy would convert floating point numbers, with a warning.
        asdecimal=False if name in ("sa.Numeric", "sa.DECIMAL") else None,
        none_as_null=True if name == "sa.JSON" else None,
        collation=quoted(column.collation) if column.collation is not None and annotation == "str" else None,
    )
    return Values(annotation=annotation, type=kind if kind.items else name)
