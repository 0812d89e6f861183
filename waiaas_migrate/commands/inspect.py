"""``inspect``: the schema.yaml of a database that is there."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Sequence
from pathlib import Path

from waiaas_migrate.commands.live_database import reading
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.enum_source import LoadedEnums, load_enums
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.ownership import OtherTools

_KNOWN = OtherTools()


def inspect(database: str, *, enums: Sequence[str] = (), root: Path | None = None, others: OtherTools = _KNOWN) -> str:
    """Return the schema of ``database`` as the text of a schema.yaml; nothing is written.

    Args:
        database: A path or a URL.
        enums: Modules whose lists are referred to by name where a CHECK holds the same.
        root: Where those modules are looked for first; the current folder where None.
        others: What belongs to other tools. It is left out, and a comment names it.

    Raises:
        DatabaseFileError: the file is missing, is no database, or cannot be read.
        SchemaFileError: a module cannot be imported.
        UnsupportedError: names what in the database cannot be read exactly, or written.
    """
    loaded = load_enums([(module, Origin(file="--enums")) for module in enums], root=root or Path.cwd())
    with reading(database) as (connection, _):
        schema = introspect(connection, others=others)
        left_out = _left_out(connection, others)
    return left_out + schema_text(schema, enums=_lists(loaded), enum_modules=tuple(enums))


def _left_out(connection: sqlite3.Connection, others: OtherTools) -> str:
    """Return a comment that names the tables and views of other tools, if there are any."""
    rows = read_catalog(connection)
    ours = set(others.without(rows))
    names = [row.name for row in rows if row.kind in ("table", "view") and row not in ours]
    lines = textwrap.wrap(f"Left out, because other tools own them: {', '.join(names)}.", 118)
    return "".join(f"# {line}\n" for line in lines) + "\n" if names else ""


def _lists(loaded: LoadedEnums) -> dict[str, tuple[str | int, ...]]:
    """The values of each enum by its name: constants first, which hold a list that was made to be referred to."""
    found = [loaded.find(name) for name in loaded.usable()]
    usable = [enum for enum in found if enum is not None and not enum.problem]
    return {enum.name: enum.values for enum in sorted(usable, key=lambda enum: not enum.name.isupper())}
