"""Migrate real files from one schema to another, with the runner and with plain yoyo, and read them before and after."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from yoyo import get_backend
from yoyo import read_migrations as read_yoyo_migrations

from waiaas_migrate.authoring.declared import declare
from waiaas_migrate.authoring.generate import Generated
from waiaas_migrate.authoring.generate import generate as generate_migration
from waiaas_migrate.files.project import find_project
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.rollback import roll_back
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.introspect import introspect

Body = Mapping[str, Any]
Value = str | int | float | bytes | None
#: One row by column, with the rowid under ``rowid``.
Row = dict[str, Value]


def write_schema(folder: Path, body: Body, *, catalog_edits: bool = True) -> None:
    """Write a project whose schema.yaml has ``body``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"version": 1, **body}, sort_keys=False, allow_unicode=True)
    (folder / "schema.yaml").write_text(text, encoding="utf-8")
    settings = f"[tool.waiaas-migrate]\ncatalog_edits = {str(catalog_edits).lower()}\n"
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")


def generate(folder: Path, name: str = "change", allow: Iterable[str] = ("all",)) -> Generated:
    """Generate the next migration, with destructive changes unless ``allow`` excludes them."""
    return generate_migration(find_project(folder), name=name, allow=tuple(allow))


def declared(folder: Path) -> Schema:
    """Return the schema of schema.yaml, as SQLite reads it in a new database."""
    project = find_project(folder)
    return declare(project, Renderer(project.templates)).schema


def left_to_do(database: Path, wanted: Schema) -> list[str]:
    """Return descriptions of how the schema of a file differs from ``wanted``."""
    with closing(sqlite3.connect(database)) as connection:
        return [
            describe(change)
            for change in diff(without_yoyo_tables(introspect(connection)), without_yoyo_tables(wanted))
        ]


def without_yoyo_tables(schema: Schema) -> Schema:
    """Return ``schema`` without yoyo's own tables."""
    kept = tuple(t for t in schema.tables if not t.name.startswith(("_yoyo", "yoyo")))
    return replace(schema, tables=kept)


def schema_of(database: Path) -> Schema:
    """Return the schema of a file."""
    with closing(sqlite3.connect(database)) as connection:
        return introspect(connection)


# --- applying ---------------------------------------------------------------------------------------------------------


def apply_with_runner(folder: Path, database: Path, *, foreign_keys: bool = True) -> None:
    """Apply pending migrations with the runner, on a connection that enforces ``foreign_keys`` or not."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        apply_pending(connection, read_folder(folder / "migrations"))


def roll_back_with_runner(folder: Path, database: Path) -> None:
    """Roll back the last migration with the runner, on a connection that enforces foreign keys."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        roll_back(connection, read_folder(folder / "migrations"))


def apply_with_yoyo(folder: Path, database: Path) -> None:
    """Apply pending migrations with plain yoyo, as its command does."""
    with get_backend(f"sqlite:///{database}") as backend, backend.lock():
        backend.apply_migrations(backend.to_apply(read_yoyo_migrations(str(folder / "migrations"))))


def roll_back_with_yoyo(folder: Path, database: Path) -> None:
    """Roll back the last migration with plain yoyo."""
    with get_backend(f"sqlite:///{database}") as backend, backend.lock():
        migrations = backend.to_rollback(read_yoyo_migrations(str(folder / "migrations")))
        backend.rollback_migrations(migrations[:1])


# --- rows -------------------------------------------------------------------------------------------------------------


def run_script(database: Path, script: str) -> None:
    """Run SQL without enforced foreign keys, so that rows can be inserted in any order."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(script)


def rows_of(database: Path, table: str, columns: Iterable[str]) -> list[Row]:
    """Return the rows of a table by column, in the order of their key."""
    names = list(columns)
    query = f"SELECT {', '.join(map(quote_name, names))} FROM {quote_name(table)}"
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(query).fetchall()
    return [dict(zip(names, row, strict=True)) for row in found]


def typed(rows: Iterable[Row]) -> list[tuple[tuple[str, str, str], ...]]:
    """Return rows in which 1, 1.0 and '1' are three different values, sorted by value."""
    return sorted(tuple((column, type(value).__name__, repr(value)) for column, value in row.items()) for row in rows)


def snapshot(database: Path) -> dict[str, dict[str, list[Row]]]:
    """Return the rows of each column with their rowid, by table and column in lower case."""
    found: dict[str, dict[str, list[Row]]] = {}
    for table in without_yoyo_tables(schema_of(database)).tables:
        columns = [column.name for column in table.columns]
        rowid = None if table.without_rowid else rowid_name(columns)
        found[table.name.lower()] = {
            column.lower(): [
                {name.lower(): value for name, value in row.items()}
                for row in rows_of(database, table.name, [*filter(None, [rowid]), column])
            ]
            for column in columns
        }
    return found


def rowid_name(columns: Iterable[str]) -> str | None:
    """Return a name of the rowid next to ``columns``; None if they hide every name."""
    taken = {column.lower() for column in columns}
    return next((name for name in ROWID_NAMES if name not in taken), None)


def sequences(database: Path) -> list[Row]:
    """Return the high-water marks of AUTOINCREMENT."""
    with closing(sqlite3.connect(database)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            return []
    return rows_of(database, "sqlite_sequence", ["name", "seq"])


def orphans(database: Path) -> int:
    """Count foreign key violations, in tables whose foreign keys SQLite can check."""
    found = 0
    with closing(sqlite3.connect(database)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            try:
                query = "SELECT count(*) FROM pragma_foreign_key_check(?)"
                found += connection.execute(query, (table,)).fetchone()[0]
            except sqlite3.OperationalError as error:
                if "foreign key mismatch" not in str(error):
                    raise
    return found


def is_sound(database: Path) -> bool:
    """Return whether SQLite finds no problem in the file, including its indexes and CHECKs."""
    with closing(sqlite3.connect(database)) as connection:
        found: list[tuple[str]] = connection.execute("PRAGMA integrity_check").fetchall()
    return found == [("ok",)]
