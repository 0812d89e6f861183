"""schema.yaml read into the model, or everything that is wrong with it told at once.

The format is described in docs/schema-file.md. It says what the SQL says: there are no hidden constraints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.problem_report import Report, shown
from waiaas_migrate.files.schema_file.enum_source import LoadedEnums, load_enums
from waiaas_migrate.files.schema_file.name_checks import check_names
from waiaas_migrate.files.schema_file.objects import ReadObjects, read_objects
from waiaas_migrate.files.schema_file.table_checks import check_tables
from waiaas_migrate.files.schema_file.tables import ReadTable, read_table
from waiaas_migrate.files.yaml_text.yaml_reader import read_yaml
from waiaas_migrate.files.yaml_text.yaml_values import Value, described
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.pragmas import PRAGMA_WORD, pragma_problem

#: The version of the format, which a later one may change.
VERSION = 1
TOP_KEYS = ("version", "enums", "pragmas", "tables", "views", "triggers", "virtual_tables")

_PRAGMA_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z", re.IGNORECASE | re.ASCII)
_MISSING = "Write it, make it of a database with `waiaas-migrate inspect DATABASE -o FILE`, or correct --schema."


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumUse:
    """An enum that the schema refers to by name, and the columns that use it, as ``table.column``."""

    name: str
    values: tuple[str | int, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSchema:
    """What schema.yaml says: the schema, the PRAGMAs in their order, and the enums in order of first use."""

    schema: Schema
    pragmas: tuple[tuple[str, str | int], ...] = ()
    enums: tuple[EnumUse, ...] = ()


def load_schema(path: Path, *, root: Path) -> DeclaredSchema:
    """Read a schema.yaml.

    Args:
        path: The file.
        root: The project's folder: enum modules are looked for there, and messages name the file relative to it.

    Raises:
        SchemaFileError: With everything that is wrong with the file and the enums that it refers to.
    """
    name = display_name(path, root)
    node = read_yaml(path, name=name, missing=_MISSING)
    report = Report()
    declared = _declared(Value(node, node, name, report), report, root)
    if problems := report.problems():
        raise SchemaFileError(problems)
    return declared


def display_name(path: Path, root: Path) -> str:
    """``path`` as messages call it: relative to ``root`` where it lies below."""
    full, base = path.absolute(), root.absolute()
    return str(full.relative_to(base)) if full.is_relative_to(base) else str(path)


def _declared(top: Value, report: Report, root: Path) -> DeclaredSchema:
    if top.is_null:
        top.problem("the file holds nothing.", "Begin it with `version: 1`.")
    fields = top.fields(TOP_KEYS, "`version: 1` and `tables:`")
    if top.is_mapping:
        _check_version(top, fields)
    pragmas = _pragmas(fields.get("pragmas"))
    enums = _enums(fields.get("enums"), report, root)
    tables = tuple(
        read_table(name, value, enums)
        for name, value in (fields["tables"].entries("a table's name and `columns:`") if "tables" in fields else ())
    )
    objects = read_objects(fields, _known_names(tables, fields))
    check_names(tables, objects)
    check_tables(tables, objects)
    return DeclaredSchema(schema=_schema(tables, objects), pragmas=pragmas, enums=_uses(tables))


def _schema(tables: tuple[ReadTable, ...], objects: ReadObjects) -> Schema:
    return Schema(
        tables=tuple(read.table for read in tables),
        views=tuple(view for view, _ in objects.views),
        triggers=tuple(trigger for trigger, _ in objects.triggers),
        virtual_tables=tuple(table for table, _ in objects.virtual_tables),
    )


def _check_version(top: Value, fields: dict[str, Value]) -> None:
    version = fields.get("version")
    if version is None:
        top.problem("`version` is missing.", f"Begin the file with `version: {VERSION}`.")
    elif version.scalar != VERSION or isinstance(version.scalar, bool | float):
        fix = f"Write `version: {VERSION}`, or use the release of waiaas-migrate that the file was written for."
        version.problem(f"this version of the format is not known: {described(version.node)}.", fix)


def _enums(value: Value | None, report: Report, root: Path) -> LoadedEnums | None:
    """The enums of the named modules; None where a module fails, which is told here and not at each use."""
    if value is None or value.is_null:
        return LoadedEnums()
    values = value.items("a list of modules") if value.is_list else [value]
    names = [(item.text("a module, such as `app.enums`"), item.origin) for item in values]
    try:
        return load_enums([(name, origin) for name, origin in names if name is not None], root=root)
    except SchemaFileError as error:
        report.extend(error.problems)
        return None


def _pragmas(value: Value | None) -> tuple[tuple[str, str | int], ...]:
    seen: set[str] = set()
    found: list[tuple[str, str | int]] = []
    for name, item in value.entries("`journal_mode: WAL`") if value is not None else ():
        setting = _pragma_setting(item)
        if not _PRAGMA_NAME.match(name):
            item.key_problem(f"`{shown(name)}` is no PRAGMA's name.", "Write it as in SQL, such as `foreign_keys`.")
        elif fold(name) in seen:
            item.key_problem(f"the PRAGMA `{name}` is here twice.", "Take one of them away.")
        elif setting is not None and (problem := pragma_problem(name, setting)):
            item.problem(problem, "Change it, or take it away.")
        elif setting is not None:
            found.append((name, setting))
        seen.add(fold(name))
    return tuple(found)


def _pragma_setting(value: Value) -> str | int | None:
    setting = value.scalar
    if isinstance(setting, bool):
        value.problem("this is a boolean.", f"Write `{'ON' if setting else 'OFF'}`, as in SQL.")
        return None
    if isinstance(setting, int) or (isinstance(setting, str) and PRAGMA_WORD.match(setting)):
        return setting
    value.problem(
        f"a PRAGMA's value must be a word or a whole number, but this is {described(value.node)}.",
        "Write it as in SQL, such as `WAL`, `UTF-8` or `5000`.",
    )
    return None


def _known_names(tables: Iterable[ReadTable], fields: dict[str, Value]) -> frozenset[str]:
    """Every name that a view or a trigger may mean by a word in double quotes."""
    names = {column.column.name for read in tables for column in read.columns}
    for section in ("tables", "views", "virtual_tables"):
        names |= (
            {entry.key.text for entry in getattr(fields[section].node, "entries", ())} if section in fields else set()
        )
    return frozenset(names)


def _uses(tables: Iterable[ReadTable]) -> tuple[EnumUse, ...]:
    uses: dict[str, EnumUse] = {}
    for read in tables:
        for column in read.columns:
            if column.enum is None or column.enum.name is None:
                continue
            name = column.enum.name
            before = uses[name].columns if name in uses else ()
            here = f"{read.table.name}.{column.column.name}"
            uses[name] = EnumUse(name=name, values=column.enum.values, columns=(*before, here))
    return tuple(uses.values())
