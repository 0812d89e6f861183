"""Views, triggers and virtual tables written as they stand in schema.yaml: each by name with its SQL."""

from __future__ import annotations

from collections.abc import Sequence

from waiaas_migrate.files.schema_file.term_text import unsupported, written_object_name
from waiaas_migrate.files.yaml_text.yaml_writer import Data, Lines, Paragraph
from waiaas_migrate.schema.model import Schema, Trigger, View, VirtualTable
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError
from waiaas_migrate.sqlite.reading.spelling import tidied


def written_objects(schema: Schema) -> dict[str, Data]:
    """The sections beside ``tables``, those that hold anything.

    Raises:
        UnsupportedError: names what schema.yaml cannot hold.
    """
    sections = {
        "virtual_tables": _section(schema.virtual_tables, "virtual table"),
        "views": _section(schema.views, "view"),
        "triggers": _section(schema.triggers, "trigger"),
    }
    return {name: section for name, section in sections.items() if section}


def _section(items: Sequence[View | Trigger | VirtualTable], kind: str) -> Lines:
    return Lines({written_object_name(item.name, kind): _statement(item, kind) for item in items})


def _statement(item: View | Trigger | VirtualTable, kind: str) -> Data:
    """The text of a statement, a view's without its CREATE where that says nothing more than its name."""
    sql = tidied(item.statement.sql)
    try:
        if isinstance(item, View):
            select = ddl.select_of(sql)
            sql = sql if select is None else select
            ddl.view(item.name, sql)
        elif isinstance(item, Trigger):
            ddl.trigger(item.name, sql)
        else:
            ddl.virtual_table(item.name, sql)
    except SqlError as error:
        raise unsupported(f"{kind} {item.name}", f"its text cannot be read again: {error}.") from None
    return Paragraph(sql + "\n") if "\n" in sql else sql
