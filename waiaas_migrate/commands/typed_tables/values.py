"""Choose how the values of a column look in Python, and SQLAlchemy's type for them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from waiaas_migrate.commands.typed_tables.python_text import Call, Code, Text, call, quoted
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema, EnumUse
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.enum_lists import values_held
from waiaas_migrate.schema.model import Check, Column, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.allowed_values import literal_value

#: The module with the types that the database's own types don't cover.
TYPES = "waiaas_migrate.sqlalchemy"

_ANY = ("typing", "Any")
_JSON = "dict[str, Any]"
#: A declared type by its words: SQLAlchemy's, with the options that it needs, and the type of the values.
_DECLARED = {
    "TEXT": ("sa.Text", "", "str"),
    "INTEGER": ("sa.Integer", "", "int"),
    "REAL": ("sa.REAL", "", "float"),
    "BLOB": ("sa.LargeBinary", "", "bytes"),
    # SQLite stores no Decimal, so SQLAlchemy would convert floating point numbers, with a warning.
    "NUMERIC": ("sa.Numeric", "asdecimal=False", "float"),
    "DECIMAL": ("sa.DECIMAL", "asdecimal=False", "float"),
    **{name: (f"sa.{name}", "", "str") for name in ("VARCHAR", "CHAR", "NVARCHAR", "NCHAR", "CLOB")},
    **{name: (f"sa.{name}", "", "int") for name in ("BIGINT", "SMALLINT")},
    **{name: (f"sa.{name}", "", "float") for name in ("FLOAT", "DOUBLE")},
    "BOOLEAN": ("sa.BOOLEAN", "", "bool"),
    "DATE": ("sa.DATE", "", "date"),
    "DATETIME": ("sa.DATETIME", "", "datetime"),
    "TIMESTAMP": ("sa.TIMESTAMP", "", "datetime"),
    "TIME": ("sa.TIME", "", "time"),
    "JSON": ("sa.JSON", "none_as_null=True", _JSON),
}
_PARTS = re.compile(r"(?P<words>[^()]*?)\s*(?:\((?P<numbers>[\d\s,]+)\))?\s*\Z")
_TEXT_TYPE = re.compile(r"(sa\.(?:Text|N?(?:VAR)?CHAR|CLOB))(?:\((.*)\))?\Z")
_NUMBERS_ALLOWED = {"str": 1, "float": 2}
_IMPORTS = {
    "date": ("datetime", "date"),
    "datetime": ("datetime", "datetime"),
    "time": ("datetime", "time"),
    "Any": _ANY,
    _JSON: _ANY,
}
_AFFINITY_TYPES = {"TEXT": "str", "REAL": "float", "NUMERIC": "Any", "BLOB": "Any"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A declared schema, and the enums that the module can import: the ``source`` of each is a Python module."""

    declared: DeclaredSchema
    enums: tuple[EnumDefinition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The values of a column.

    Args:
        annotation: their type in Python; without None.
        type: SQLAlchemy's type.
        imports: what ``type`` needs, as module and name.
        annotation_imports: what ``annotation`` needs.
        alias: the values that ``annotation`` stands for, if the module defines it.
        is_list: ``annotation`` is a Literal.
        constants: the Python code of values that a default may have.
        problem: what the type leaves out, or "".
    """

    annotation: str
    type: Code
    imports: tuple[tuple[str, str], ...] = ()
    annotation_imports: tuple[tuple[str, str], ...] = ()
    alias: Code | None = None
    is_list: bool = False
    constants: Mapping[str | int, str] = field(default_factory=dict)
    problem: str = ""

    def default(self, column: Column) -> tuple[str, Code] | None:
        """Return the option that gives new rows the column's default in Python; None if only SQLite can compute it."""
        if column.default is None:
            return None
        value = literal_value(json.loads(column.default.key))
        if value in ("{}", "[]") and "Any" in self.annotation:
            return "default_factory", "dict" if value == "{}" else "list"
        if value is not None and value in self.constants:
            return "default", self.constants[value]
        if isinstance(value, str) and (self.annotation == "str" or self.is_list):
            return "default", Text(value)
        is_number = isinstance(value, int) and (self.annotation in ("int", "float") or self.is_list)
        return ("default", str(value)) if is_number else None


def values_of(table: Table, column: Column, source: Source, alias: str) -> Values:
    """Return how the values of ``column`` look in Python; ``alias`` is a name for a list of values."""
    use = _enum_use(table, column, source)
    own = _enum(use, table, column, source) if use is not None else None
    plain = _by_declared_type(column.type or "", strict=table.strict)
    values = _logical(column) or own or _listed(table, column, plain, alias) or plain
    return values if column.collation is None else _collated(values, column.collation)


def _logical(column: Column) -> Values | None:
    match column.logical_type:
        case "boolean":
            return replace(_own_type("bool", "BooleanInteger"), constants={0: "False", 1: "True"})
        case "timestamp":
            return _own_type("datetime", "Timestamp", _IMPORTS["datetime"])
        case "json":
            is_list = column.default is not None and literal_value(json.loads(column.default.key)) == "[]"
            annotation = "list[Any]" if is_list else _JSON
            return _own_type(annotation, "JsonText", _ANY)
        case "uuid":
            return _own_type("UUID", "UuidText", ("uuid", "UUID"))
        case _:
            return None


def _own_type(annotation: str, name: str, *annotation_imports: tuple[str, str]) -> Values:
    imports = ((TYPES, name),)
    return Values(annotation=annotation, type=name, imports=imports, annotation_imports=annotation_imports)


def _enum_use(table: Table, column: Column, source: Source) -> EnumUse | None:
    name = f"{table.name}.{column.name}"
    return next((use for use in source.declared.enums if name in use.columns), None)


def _enum(use: EnumUse, table: Table, column: Column, source: Source) -> Values | None:
    """Return the application's own type for the values of an enum; None if it has none."""
    definition = next((one for one in source.enums if one.name == use.name), None)
    if definition is None:
        return None
    if definition.shape == "type":
        plain = _by_declared_type(column.type or "", strict=False)
        imports = ((definition.module, use.name),)
        return replace(plain, annotation=use.name, annotation_imports=imports, is_list=True)
    found = _class(definition, use, source)
    if found is None:
        return None
    members, held = frozenset[str | int](found.members), values_held(table, column)
    by_names = held == members and held != frozenset(found.values)
    stored = found.members if by_names else found.values
    kind = _enum_type(found, column.type or "", by_names=by_names)
    if kind is None or found.name.startswith("_"):
        return None
    return Values(
        annotation=found.name,
        type=kind,
        imports=((TYPES, kind.opening[:-1]), (found.module, found.name))[kind.opening.startswith("sa.") :],
        constants={value: f"{found.name}.{member}" for value, member in zip(stored, found.members, strict=True)},
    )


def _enum_type(found: EnumDefinition, declared: str, *, by_names: bool) -> Call | None:
    """Return the type that stores an enum class in a column of the declared type; None if there is none."""
    kinds = {type(value) for value in found.values}
    match = re.fullmatch(r"VARCHAR ?\( ?(\d+) ?\)", declared.upper())
    if match is not None and (by_names or kinds == {str}):
        # SQLAlchemy's own type stores the names of the members, by default.
        values = None if by_names else "lambda kind: [member.value for member in kind]"
        return call("sa.Enum", found.name, native_enum="False", length=match[1], values_callable=values)
    names = {("TEXT", str): "EnumText", ("INTEGER", int): "EnumInteger"}
    name = names.get((declared.upper(), next(iter(kinds))))
    return None if name is None or by_names or len(kinds) > 1 else call(name, found.name)


def _class(definition: EnumDefinition, use: EnumUse, source: Source) -> EnumDefinition | None:
    """Return the enum class with the values of a definition, which may be a list made of the class."""
    if _is_class(definition):
        return definition
    others = [one for one in source.enums if _is_class(one)]
    same = [one for one in others if one.values == use.values and not one.name.startswith("_")]
    return same[0] if len({one.name for one in same}) == 1 else None


def _is_class(definition: EnumDefinition) -> bool:
    return definition.shape == "class" and bool(definition.members)


def _listed(table: Table, column: Column, plain: Values, alias: str) -> Values | None:
    """Return a Literal for the values that a CHECK of the column lists; None if it has no such CHECK."""
    checks = (check for check in table.checks if _is_list_of(check, column))
    allowed = next((check.allowed for check in checks if check.allowed is not None), None)
    if allowed is None or len({type(value) for value in allowed.values}) > 1:
        return None
    if plain.annotation != type(allowed.values[0]).__name__:
        return None
    values = dict.fromkeys(allowed.values)
    items = tuple(("", Text(value) if isinstance(value, str) else str(value)) for value in values)
    literal = Call(opening="Literal[", items=items, closing="]")
    imports = (("typing", "Literal"),)
    return replace(plain, annotation=alias, alias=literal, is_list=True, annotation_imports=imports)


def _is_list_of(check: Check, column: Column) -> bool:
    return check.allowed is not None and fold(check.allowed.column) == fold(column.name)


def _by_declared_type(declared: str, *, strict: bool) -> Values:
    match = _PARTS.match(" ".join(declared.upper().split()))
    numbers = [number.strip() for number in (match["numbers"] or "").split(",") if number.strip()] if match else []
    known = _DECLARED.get(match["words"]) if match else None
    kind: Code = call("Declared", Text(declared))
    imports: tuple[tuple[str, str], ...] = ((TYPES, "Declared"),)
    if known is not None and len(numbers) <= _NUMBERS_ALLOWED.get(known[2], 0):
        name, option, annotation = known
        arguments = ", ".join([*numbers, *([option] if option else [])])
        kind, imports = f"{name}({arguments})" if arguments else name, ()
    else:
        annotation = "int" if "INT" in declared.upper() else _AFFINITY_TYPES[affinity(declared, strict=strict)]
    needed = (_IMPORTS[annotation],) if annotation in _IMPORTS else ()
    return Values(annotation=annotation, type=kind, imports=imports, annotation_imports=needed)


def _collated(values: Values, collation: str) -> Values:
    """Return ``values`` with a collation, which only SQLAlchemy's own types for text can have."""
    match = _TEXT_TYPE.match(values.type) if isinstance(values.type, str) else None
    if match is None:
        return replace(values, problem=f"COLLATE {collation}")
    arguments = ", ".join(filter(None, [match[2], f"collation={quoted(collation)}"]))
    return replace(values, type=f"{match[1]}({arguments})")
