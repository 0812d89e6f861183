"""``inspect``: write the schema of an existing database as a schema.yaml."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Sequence
from pathlib import Path

from waiaas_migrate.commands.live_database import live_connection
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.enum_source import LoadedEnums, load_enums
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.ownership import OtherTools


def inspect(
    database: str,
    *,
    enums: Sequence[str] = (),
    root: Path | None = None,
    others: OtherTools = OtherTools(),  # noqa: B008 — a frozen value
) -> str:
    """Return the schema of ``database`` as the text of a schema.yaml; nothing is written.

    Args:
        database: a path or a URL.
        enums: modules; a CHECK with the same values as one of their enums refers to it by name.
        root: the folder in which to look for those modules first; None for the current one.
        others: which tables belong to other tools. A comment names them instead.

    Raises:
        DatabaseFileError: the file is missing, is not a database, or cannot be read.
        SchemaFileError: a module cannot be imported.
        UnsupportedError: the database has something that cannot be read exactly, or written.
    """
    loaded = load_enums([(module, Origin(file="--enums")) for module in enums], root=root or Path.cwd())
    with live_connection(database) as (connection, _):
        schema = introspect(connection, others=others)
        comment = _left_out(connection, others)
    return comment + schema_text(schema, enums=_values(loaded), enum_modules=tuple(enums))


def _left_out(connection: sqlite3.Connection, others: OtherTools) -> str:
    """Return a comment that names the tables and views of other tools, or nothing."""
    rows = read_catalog(connection)
    ours = set(others.without(rows))
    names = [row.name for row in rows if row.kind in ("table", "view") and row not in ours]
    lines = textwrap.wrap(f"Left out, because other tools own them: {', '.join(names)}.", 118)
    return "".join(f"# {line}\n" for line in lines) + "\n" if names else ""


def _values(loaded: LoadedEnums) -> dict[str, tuple[str | int, ...]]:
    """Return the values of each enum by its name; constants first, since they are preferred."""
    found = [loaded.find(name) for name in loaded.usable()]
    usable = [enum for enum in found if enum is not None and not enum.problem]
    return {enum.name: enum.values for enum in sorted(usable, key=lambda enum: not enum.name.isupper())}
