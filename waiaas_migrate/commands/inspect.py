"""``inspect``: write the schema of an existing database as a schema.yaml."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.commands.live_database import live_connection
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.enum_links import link_enums
from waiaas_migrate.files.schema_file.load_schema import declared_sources
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.ownership import OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The text of a schema.yaml, and remarks on lists of values that almost equal an enum, or equal several."""

    text: str
    remarks: tuple[str, ...] = ()


def inspect(
    database: StrPath,
    *,
    enums: Sequence[str | EnumSource] = (),
    root: StrPath | None = None,
    others: OtherTools = OtherTools(),  # noqa: B008 — a frozen value
) -> Inspected:
    """Return the schema of ``database`` as the text of a schema.yaml; write nothing.

    A list of values in a CHECK becomes a reference to the enum with these values. ``enums`` names modules and files
    with enums, which are looked up first in the folder ``root``, by default the current one. The tables of other tools,
    which ``others`` recognizes, are left out; a comment names them.

    Raises:
        DatabaseFileError: the file is missing, is not a database, or cannot be read.
        SchemaFileError: a module or file with enums cannot be read.
        UnsupportedError: the database has something that cannot be read exactly, or that schema.yaml can't express.
    """
    sources = [EnumSource(source, Origin(file="enums")) if isinstance(source, str) else source for source in enums]
    loaded = load_enums(sources, root=Path(root or Path.cwd()))
    with live_connection(database) as (connection, _):
        schema = introspect(connection, other_tools=others)
        left_out = _left_out(connection, others)
    linked = link_enums(schema, loaded)
    comments = [line for remark in (*left_out, *linked.remarks) for line in textwrap.wrap(remark, 118)]
    head = "".join(f"# {line}\n" for line in comments) + "\n" if comments else ""
    text = schema_text(schema, enums=linked.links, enum_sources=sources)
    return Inspected(text=head + text, remarks=linked.remarks)


def sources_of(project: Project) -> tuple[EnumSource, ...]:
    """Return the sources of enums that the project's schema.yaml names.

    Raises:
        UsageError: the project has no schema.yaml, or the file names no sources.
        SchemaFileError: the file can't be read.
    """
    if not (sources := declared_sources(project.schema, root=project.root)):
        raise UsageError(
            "--enums: no module is named. Add `--enums-module app.enums`, or `enums: app.enums` in schema.yaml."
        )
    return sources


def _left_out(connection: sqlite3.Connection, other_tools: OtherTools) -> tuple[str, ...]:
    """Return a sentence that names the tables and views of other tools, or nothing if there are none."""
    rows = read_catalog(connection)
    own_rows = set(other_tools.exclude_from(rows))
    names = [row.name for row in rows if row.kind in ("table", "view") and row not in own_rows]
    return (f"Left out, because other tools own them: {', '.join(names)}.",) if names else ()
