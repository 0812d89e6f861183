"""Write migrations folders for tests, as a project has them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.files.migration_dir.facts import short_fingerprint
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, chain, manifest_text
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma

#: Parents and children, in three migrations with rollbacks.
FAMILY = {
    "0001_parents.sql": "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);\n",
    "0001_parents.rollback.sql": "DROP TABLE parent;\n",
    "0002_children.sql": (
        "-- depends: 0001_parents\n"
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE);\n"
        "CREATE INDEX child_parent ON child (parent_id);\n"
    ),
    "0002_children.rollback.sql": "DROP TABLE child;\n",
    "0003_age.sql": "-- depends: 0002_children\nALTER TABLE parent ADD COLUMN age INTEGER;\n",
    "0003_age.rollback.sql": "ALTER TABLE parent DROP COLUMN age;\n",
}
FAMILY_IDS = ("0001_parents", "0002_children", "0003_age")

PRAGMAS = (
    Pragma(name="journal_mode", value="WAL"),
    Pragma(name="foreign_keys", value="ON"),
    Pragma(name="busy_timeout", value=5000),
)


def write_folder(
    folder: Path, files: Mapping[str, str], *, pragmas: Sequence[Pragma] = PRAGMAS, record: bool = True
) -> Path:
    """Add ``files`` to ``folder``, and record its migrations unless ``record`` is False."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    if record:
        record_folder(folder, pragmas=pragmas)
    return folder


def record_folder(folder: Path, *, pragmas: Sequence[Pragma] = PRAGMAS) -> None:
    """Write the manifest of ``folder``, with the fingerprints of its SQL migrations run in memory."""
    migrations = read_migrations(folder)
    facts, head = {}, None
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        for migration in migrations:
            for statement in migration.statements:
                memory.execute(statement)
            head = fingerprint(read_catalog(memory))
            facts[migration.id] = replace(derive_facts(migration), catalog=short_fingerprint(head))
    if any(migration.kind == "python" for migration in migrations):
        head = None
        facts = {name: replace(one, catalog=None) for name, one in facts.items()}
    manifest = Manifest(migrations=chain(migrations, facts), pragmas=tuple(pragmas), fingerprint=head)
    (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")


def run_python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in its own process."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def run_yoyo(command: str, database: Path, folder: Path, *options: str, scheme: str = "sqlite") -> str:
    """Run the ``yoyo`` command as a user would; return its output."""
    run = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "yoyo", command, "--batch", "--no-config-file"),
            *("--database", f"{scheme}:///{database}", *options, str(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def tables(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the tables, without yoyo's and SQLite's."""
    return {row.name for row in read_catalog(connection) if row.kind == "table"}


def dump(path: Path) -> list[str]:
    """Return everything in a database, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())
