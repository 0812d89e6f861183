"""A database with its migrations folder beside it, for tests of backups."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.folders import FAMILY, PRAGMAS, write_folder
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.backups.backup import backups_of
from waiaas_migrate.sqlite.database.pragmas import Pragma

DELETING = {"0004_tidy.sql": "-- depends: 0003_age\nDELETE FROM parent WHERE id > 1;\n"}
ADDING = {"0004_more.sql": "-- depends: 0003_age\nALTER TABLE child ADD COLUMN note TEXT;\n"}
FAILING = {"0004_bad.sql": "-- depends: 0003_age\nDELETE FROM parent;\nINSERT INTO nowhere VALUES (1);\n"}


def make_database(folder: Path, mode: str = "WAL", rows: int = 3) -> Path:
    """Make ``app.db`` beside the folder ``m``."""
    pragmas = (Pragma(name="journal_mode", value=mode), *PRAGMAS[1:])
    write_folder(folder / "m", FAMILY, pragmas=pragmas)
    path = folder / "app.db"
    apply_to(str(path), folder / "m")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO parent (name) VALUES (?)", [(f"name {n}",) for n in range(rows)])
    return path


def add(database: Path, files: dict[str, str], *, record: bool = False) -> Path:
    """Add ``files`` to the folder of ``database``; remove the manifest unless they are recorded."""
    folder = write_folder(database.parent / "m", files, record=record)
    if not record:
        (folder / "manifest.json").unlink(missing_ok=True)
    return folder


def old_backups(database: Path, days: range) -> None:
    """Make backups from January 2020 with the content of ``database``."""
    content = database.read_bytes()
    for day in days:
        database.with_name(f"app.db.backup-2020010{day}T000000Z-0003_age").write_bytes(content)


def names(database: Path) -> list[str]:
    """Return the names of the backups in order."""
    return [backup.path.name for backup in backups_of(database)]
