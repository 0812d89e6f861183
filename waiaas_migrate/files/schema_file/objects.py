"""Read views, triggers and virtual tables: each a name with its SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from waiaas_migrate.files.problem_report import shown
from waiaas_migrate.files.schema_file.value_kinds import CARRIAGE_RETURN, named_entries
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.schema.model import Trigger, View, VirtualTable
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError

Item = View | Trigger | VirtualTable


class ParsedObject(NamedTuple):
    """A view, trigger or virtual table, and its place; ``item`` is None if invalid."""

    kind: str
    name: str
    at: Value
    item: Item | None


def read_objects(fields: dict[str, Value], names: Iterable[str]) -> tuple[ParsedObject, ...]:
    """Return views, triggers and virtual tables; their SQL may double-quote ``names``."""
    known = frozenset(names)
    sections: dict[str, tuple[str, Callable[[str, str], Item]]] = {
        "views": ("view", lambda name, sql: ddl.read_view(name, sql, known)),
        "triggers": ("trigger", lambda name, sql: ddl.read_trigger(name, sql, known)),
        "virtual_tables": ("virtual table", ddl.read_virtual_table),
    }
    return tuple(
        ParsedObject(kind=kind, name=name, at=value, item=_read(name, value, reader))
        for section, (kind, reader) in sections.items()
        for name, value in named_entries(fields, section, "`name: CREATE …`")
    )


def _read(name: str, value: Value, reader: Callable[[str, str], Item]) -> Item | None:
    sql = value.text("the whole CREATE statement")
    if sql is None:
        return None
    if ddl.has_carriage_return(sql):
        value.problem(*CARRIAGE_RETURN)
    # Definitions from a database made on Windows may contain carriage returns. In a migration, yoyo would read these as
    # line feeds, so the file's recorded hash wouldn't match.
    sql = sql.replace("\r\n", "\n").replace("\r", " ")
    try:
        return reader(name, sql)
    except ddl.OtherNameError as error:
        fix = f"Write `{shown(error.found)}` as the key, or correct the name in the statement."
        value.problem(f"the statement creates `{shown(error.found)}`, but the key is `{shown(name)}`.", fix)
    except SqlError as error:
        value.problem(f"can't read the statement: {str(error).rstrip('.')}.", "Write the whole CREATE statement.")
    return None
