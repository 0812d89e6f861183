"""Read the views, triggers and virtual tables of schema.yaml, each by name with its SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.schema_file.value_kinds import CARRIAGE_RETURN, named_entries
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Trigger, View, VirtualTable
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError

T = TypeVar("T")

_KINDS = {"views": "view", "triggers": "trigger", "virtual_tables": "virtual table"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadObjects:
    """The views, triggers and virtual tables; ``names`` include unreadable ones."""

    views: tuple[tuple[View, Value], ...] = ()
    triggers: tuple[tuple[Trigger, Value], ...] = ()
    virtual_tables: tuple[tuple[VirtualTable, Value], ...] = ()
    names: tuple[tuple[str, str, Value], ...] = ()


def read_objects(fields: dict[str, Value], names: Iterable[str]) -> ReadObjects:
    """Return the views, triggers and virtual tables; ``names`` are the names that double quotes may mean."""
    known = frozenset(names)
    entries = {section: named_entries(fields, section, "`name: CREATE …`") for section in _KINDS}
    return ReadObjects(
        views=_read(entries["views"], lambda name, sql: ddl.view(name, sql, known)),
        triggers=_read(entries["triggers"], lambda name, sql: ddl.trigger(name, sql, known)),
        virtual_tables=_read(entries["virtual_tables"], ddl.virtual_table),
        names=tuple((_KINDS[section], name, value) for section, found in entries.items() for name, value in found),
    )


def _read(entries: Iterable[tuple[str, Value]], reader: Callable[[str, str], T]) -> tuple[tuple[T, Value], ...]:
    found = []
    for name, value in entries:
        sql = value.text("the whole CREATE statement")
        if sql is None:
            continue
        if ddl.has_carriage_return(sql):
            value.problem(*CARRIAGE_RETURN)
        # Databases made on Windows have them; a file is read with line feeds only, so its hash would not match.
        sql = sql.replace("\r\n", "\n").replace("\r", " ")
        try:
            found.append((reader(name, sql), value))
        except ddl.OtherNameError as error:
            fix = f"Write `{shown(error.found)}` as the key, or correct the name in the statement."
            value.problem(f"the statement creates `{shown(error.found)}`, but the key is `{shown(name)}`.", fix)
        except SqlError as error:
            value.problem(f"can't read the statement: {str(error).rstrip('.')}.", "Write the whole CREATE statement.")
    return tuple(found)
