"""Create a project with the shipped schema, and databases with any number of transactions."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks._measure import CHECKOUT
from waiaas_migrate.authoring.generate import generate
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.open import close_database, push_schema
from waiaas_migrate.sqlite.database.connection import connect_file

_AGENTS = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 19)
INSERT INTO agents (id, name, chain, network, public_key, created_at, updated_at)
SELECT 'agent-' || n, 'agent', 'ethereum', 'mainnet', hex(randomblob(32)), 1700000000, 1700000000 FROM number
"""
_SESSIONS = """
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 499)
INSERT INTO sessions (id, agent_id, token_hash, expires_at, absolute_expires_at, created_at)
SELECT 'session-' || n, 'agent-' || (n % 20), hex(randomblob(32)), 1800000000, 1800000000, 1700000000 FROM number
"""
#: Ids are version 7 UUIDs in the daemon: they begin with the time, so they are almost in order.
_TRANSACTIONS = """
WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
INSERT INTO transactions (id, agent_id, session_id, chain, tx_hash, type, amount, to_address, status, tier, created_at,
    executed_at, metadata)
SELECT printf('0190%08x-7%03x-%s', n, n % 4096, hex(randomblob(8))), 'agent-' || (n % 20), 'session-' || (n % 500),
    'ethereum', '0x' || hex(randomblob(32)), 'TRANSFER', abs(random()) / 1000, '0x' || hex(randomblob(20)),
    'CONFIRMED', 'INSTANT', 1700000000 + n, 1700000003 + n, '{"note":"payment ' || n || '"}'
FROM number
"""
#: Children that a careless rebuild would lose: they are deleted with their transaction (ON DELETE CASCADE).
_APPROVALS = """
INSERT INTO pending_approvals (id, tx_id, required_by, expires_at, created_at)
SELECT 'approval-' || rowid, id, 1700000000, 1700000000, 1700000000 FROM transactions WHERE rowid <= 1000
"""
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'transactions' AND sql IS NOT NULL"


def daemon_project(folder: Path, *, catalog_edits: bool = True) -> Project:
    """Create a project in ``folder`` with the shipped schema and its migrations."""
    folder.mkdir(parents=True)
    shutil.copytree(CHECKOUT / "migrations", folder / "migrations")
    shutil.copy(CHECKOUT / "schema.yaml", folder / "schema.yaml")
    return Project(
        root=folder,
        schema=folder / "schema.yaml",
        migrations=folder / "migrations",
        templates=folder / "templates",
        catalog_edits=catalog_edits,
    )


def edit_column(project: Project, column: str, old: str, new: str) -> None:
    """Replace ``old`` with ``new`` in the line of one column of ``transactions`` in schema.yaml.

    Raises:
        ValueError: the line doesn't contain ``old``.
    """
    head, name, body = project.schema.read_text(encoding="utf-8").partition("\n  transactions:\n")
    line = re.compile(rf"^      {column}: .*$", re.MULTILINE)
    changed = line.sub(lambda match: match[0].replace(old, new), body, count=1)
    if changed == body:
        raise ValueError(f"transactions.{column} in {project.schema} has no {old}")
    project.schema.write_text(head + name + changed, encoding="utf-8")


def set_values(project: Project, column: str, enum: str, values: Sequence[str]) -> None:
    """Give one column of ``transactions`` these values instead of those of ``enum``."""
    edit_column(project, column, f"enum: {enum}", f"enum: [{', '.join(values)}]")


def migrate(project: Project) -> Path:
    """Generate the migration to schema.yaml, with all hazards allowed; return its file.

    Raises:
        ValueError: no migration is needed.
    """
    done = generate(project, allow=("all",))
    if done.migration is None:
        raise ValueError(f"{project.schema} needs no migration")
    return project.migrations / f"{done.migration}.sql"


def apply(database: Path, migrations: Path) -> None:
    """Apply pending migrations as an application does when it opens its database, but without a backup."""
    connection = connect_file(database)
    try:
        push_schema(connection, migrations=migrations, backup="never")
    finally:
        close_database(connection)


def make_database(path: Path, rows: int) -> Path:
    """Create a database of the shipped schema with ``rows`` transactions; up to 1,000 of them have a child."""
    apply(path, CHECKOUT / "migrations")
    connection = connect_file(path)
    connection.isolation_level = None
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        indexes = connection.execute(_INDEXES).fetchall()
        connection.execute("BEGIN")
        connection.execute(_AGENTS)
        connection.execute(_SESSIONS)
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(_TRANSACTIONS, (rows,))
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute(_APPROVALS)
        connection.execute("COMMIT")
    finally:
        close_database(connection)
    return path
