"""Load the schema that schema.yaml declares, or report all problems in it.

docs/schema-file.md describes the format. The schema has the constraints that the file declares, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition, LoadedEnums
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums
from waiaas_migrate.files.problem_report import Report, shown, suggestion
from waiaas_migrate.files.schema_file import schema_keys as k
from waiaas_migrate.files.schema_file.objects import read_objects
from waiaas_migrate.files.schema_file.schema_checks import check_schema
from waiaas_migrate.files.schema_file.tables import ParsedTable, read_table
from waiaas_migrate.files.schema_file.value_kinds import named_entries
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, read_yaml
from waiaas_migrate.files.yaml_text.yaml_values import Value, described
from waiaas_migrate.schema.model import Schema, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.pragmas import PRAGMA_WORD, WORDS, pragma_problem

#: The version of the file format.
VERSION = 1

_PRAGMA_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z", re.IGNORECASE | re.ASCII)
_ENUMS_EXAMPLE = "a module or file, such as `app.enums` or `src/enums.ts`"
_MISSING = "Create it with `waiaas-migrate init`, or correct --schema."


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumUse:
    """An enum of the application that columns, as ``table.column``, refer to by name.

    ``values`` are the names of its members if the columns store names.
    """

    name: str
    values: tuple[str | int, ...]
    columns: tuple[str, ...]
    definition: EnumDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSchema:
    """The content of schema.yaml. PRAGMAs and enums keep the order of the file."""

    schema: Schema
    pragmas: tuple[tuple[str, str | int], ...] = ()
    enums: tuple[EnumUse, ...] = ()


def load_schema(path: Path, *, root: Path) -> DeclaredSchema:
    """Load schema.yaml, and its enums from the project's folder ``root``.

    Raises:
        SchemaFileError: the file or an enum has problems; the error lists all of them.
    """
    name = display_name(path, root)
    node = read_yaml(path, name=name, missing=_MISSING)
    report = Report()
    declared = _read_declared_schema(Value(node, node, name, report), report, root)
    if problems := report.problems():
        raise SchemaFileError(problems)
    return declared


def _read_declared_schema(top: Value, report: Report, root: Path) -> DeclaredSchema:
    if top.is_null:
        top.problem("the file is empty.", "Begin it with `version: 1`.")
    fields = k.TOP.fields(top)
    if "version" in fields:
        _check_version(fields["version"])
    k.TOP.contents(fields, ())  # only to report problems: `lint` reads its settings from the file
    pragmas = _read_pragmas(fields["pragmas"]) if "pragmas" in fields else ()
    enums = _load_enums(fields.get("enums"), fields.get("tables"), report, root)
    entries = named_entries(fields, "tables", "a table's name and `columns:`")
    tables = tuple(read_table(name, value, enums) for name, value in entries)
    objects = read_objects(fields, _known_names(tables, fields))
    check_schema(tables, objects)
    schema = Schema(
        tables=tuple(parsed.table for parsed in tables),
        views=tuple(parsed.item for parsed in objects if isinstance(parsed.item, View)),
        triggers=tuple(parsed.item for parsed in objects if isinstance(parsed.item, Trigger)),
        virtual_tables=tuple(parsed.item for parsed in objects if isinstance(parsed.item, VirtualTable)),
    )
    return DeclaredSchema(schema=schema, pragmas=pragmas, enums=_enum_uses(tables))


def _check_version(version: Value) -> None:
    if version.scalar != VERSION or isinstance(version.scalar, bool | float):
        fix = f"Write `version: {VERSION}`, or use the release of waiaas-migrate that the file was written for."
        version.problem(f"unknown format version: {described(version.node)}.", fix)


def _load_enums(value: Value | None, tables: Value | None, report: Report, root: Path) -> LoadedEnums | None:
    """Return the enums that ``tables`` use; None after reporting a failure."""
    sources = tuple(_read_sources(value)) if value is not None else ()
    try:
        return load_enums(sources, root=root, used=_referenced_enums(tables))
    except SchemaFileError as error:
        report.extend(error.problems)
        return None


def _read_pragmas(value: Value) -> tuple[tuple[str, str | int], ...]:
    seen: set[str] = set()
    found: list[tuple[str, str | int]] = []
    for name, item in value.entries("`journal_mode: WAL`"):
        setting = _read_pragma_setting(item)
        if not _PRAGMA_NAME.match(name):
            item.key_problem(f"`{shown(name)}` is not a PRAGMA name.", "Write a name such as `foreign_keys`.")
        elif fold(name) in seen:
            item.key_problem(f"the PRAGMA `{name}` is set twice.", "Remove one of them.")
        elif setting is not None and (problem := pragma_problem(name, setting)):
            item.problem(problem, suggestion(str(setting), WORDS.get(name.lower(), ()), "Change it, or remove it."))
        elif setting is not None:
            found.append((name, setting))
        seen.add(fold(name))
    return tuple(found)


def _read_pragma_setting(value: Value) -> str | int | None:
    setting = value.scalar
    if isinstance(setting, bool):
        value.problem("a PRAGMA's value can't be a boolean.", f"Write `{'ON' if setting else 'OFF'}`, as in SQL.")
        return None
    if isinstance(setting, int) or (isinstance(setting, str) and PRAGMA_WORD.match(setting)):
        return setting
    what = f"a PRAGMA's value must be a word or a whole number, not {described(value.node)}."
    value.problem(what, "Write it as in SQL, such as `WAL`, `UTF-8` or `5000`.")
    return None


def _known_names(tables: Iterable[ParsedTable], fields: dict[str, Value]) -> frozenset[str]:
    """Return the names of columns, tables (also virtual ones) and views, which SQL may double-quote."""
    names = {column.column.name for parsed in tables for column in parsed.columns}
    for section in ("tables", "views", "virtual_tables"):
        if section in fields:
            names |= {entry.key.text for entry in getattr(fields[section].node, "entries", ())}
    return frozenset(names)


def _enum_uses(tables: Iterable[ParsedTable]) -> tuple[EnumUse, ...]:
    uses: dict[str, EnumUse] = {}
    for parsed in tables:
        for column in parsed.columns:
            if (enum := column.enum) is not None and (definition := enum.definition) is not None:
                first = EnumUse(name=definition.name, values=enum.values, columns=(), definition=definition)
                use = uses.get(definition.name, first)
                uses[use.name] = replace(use, columns=(*use.columns, f"{parsed.table.name}.{column.column.name}"))
    return tuple(uses.values())


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
    sources = tuple(source for key, value in entries if key == "enums" for source in _read_sources(value))
    if problems := report.problems():
        raise SchemaFileError(problems)
    return sources


def _read_sources(value: Value) -> Iterator[EnumSource]:
    """Yield the sources in ``enums``: a name, a mapping of enums, or a list of both."""
    for item in value.items("a list of modules and files") if value.is_list else [value]:
        if isinstance(item.node, MappingNode):
            yield EnumSource(item.file, item.origin, item.node)
        elif (not item.is_null or value.is_list) and (name := item.text(_ENUMS_EXAMPLE)) is not None:
            yield EnumSource(name, item.origin)


def _referenced_enums(tables: Value | None) -> frozenset[str]:
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
