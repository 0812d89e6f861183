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
from waiaas_migrate.files.schema_file.enum_keys import declared_sources
from waiaas_migrate.files.schema_file.enum_links import link_enums
from waiaas_migrate.files.schema_file.schema_text import schema_text
from waiaas_migrate.sqlite.database.catalog import read_catalog
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.ownership import OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The text of a schema.yaml, and a remark for each list that is close to an enum, or fits several."""

    text: str
    remarks: tuple[str, ...] = ()


def inspect(
    database: StrPath,
    *,
    enums: Sequence[str | EnumSource] = (),
    root: StrPath | None = None,
    others: OtherTools = OtherTools(),  # noqa: B008 — a frozen value
) -> Inspected:
    """Return the schema of ``database`` as the text of a schema.yaml; nothing is written.

    Args:
        database: a path or a URL.
        enums: modules and files; each list of values in a CHECK is linked to the enum that has the same values.
        root: the folder in which to look for them first; None for the current one.
        others: which tables belong to other tools. A comment names them instead.

    Raises:
        DatabaseFileError: the file is missing, is not a database, or cannot be read.
        SchemaFileError: a module or file cannot be read.
        UnsupportedError: the database has something that cannot be read exactly, or written.
    """
    sources = [EnumSource(one, Origin(file="enums")) if isinstance(one, str) else one for one in enums]
    loaded = load_enums(sources, root=Path(root or Path.cwd()))
    with live_connection(database) as (connection, _):
        schema = introspect(connection, other_tools=others)
        left_out = _left_out(connection, others)
    found = link_enums(schema, loaded)
    comments = [line for remark in (*left_out, *found.remarks) for line in textwrap.wrap(remark, 118)]
    head = "".join(f"# {line}\n" for line in comments) + "\n" if comments else ""
    text = schema_text(schema, enums=found.links, enum_sources=sources)
    return Inspected(text=head + text, remarks=found.remarks)


def sources_of(project: Project) -> tuple[EnumSource, ...]:
    """Return the sources of enums that the project's schema.yaml names.

    Raises:
        UsageError: there is no schema.yaml, or it names none.
        SchemaFileError: the file can't be read.
    """
    if not (found := declared_sources(project.schema, root=project.root)):
        raise UsageError(
            "--enums: no module is named. Add `--enums-module app.enums`, or `enums: app.enums` in schema.yaml."
        )
    return found


def _left_out(connection: sqlite3.Connection, others: OtherTools) -> tuple[str, ...]:
    """Return a sentence that names the tables and views of other tools, if there are any."""
    rows = read_catalog(connection)
    ours = set(others.exclude_from(rows))
    names = [row.name for row in rows if row.kind in ("table", "view") and row not in ours]
    return (f"Left out, because other tools own them: {', '.join(names)}.",) if names else ()
