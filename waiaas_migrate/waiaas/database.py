"""Open the daemon's database with the migrations that ship with the package."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Unpack

from waiaas_migrate.files.bundled import bundled
from waiaas_migrate.runner import open as runner
from waiaas_migrate.sqlite.database.setup import Setup
from waiaas_migrate.sqlite.database.url import StrPath

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from waiaas_migrate.runner.options import BackupWhen
    from waiaas_migrate.sqlite.database.connect_options import ConnectOptions

#: The folder of the shipped migrations.
MIGRATIONS = bundled("migrations")


def open_database(
    path: StrPath,
    *,
    backup: BackupWhen = "auto",
    setup: Setup | None = None,
    **connect_options: Unpack[ConnectOptions],
) -> sqlite3.Connection:
    """Open the daemon's database at ``path``, as :func:`waiaas_migrate.open_database` does."""
    return runner.open_database(path, migrations=MIGRATIONS, backup=backup, setup=setup, **connect_options)


def connect(
    path: StrPath, *, setup: Setup | None = None, **connect_options: Unpack[ConnectOptions]
) -> sqlite3.Connection:
    """Open the daemon's database at ``path`` without migrating it, as :func:`waiaas_migrate.connect` does."""
    return runner.connect(path, migrations=MIGRATIONS, setup=setup, **connect_options)


def push_schema(connection: sqlite3.Connection, *, backup: BackupWhen = "auto") -> None:
    """Apply the daemon's pending migrations on ``connection``, as :func:`waiaas_migrate.push_schema` does."""
    runner.push_schema(connection, migrations=MIGRATIONS, backup=backup)


def create_engine(path: StrPath, **options: Any) -> Engine:  # noqa: ANN401 — SQLAlchemy's own
    """Return an engine for the daemon's database, as :func:`waiaas_migrate.sqlalchemy.create_engine` does."""
    from waiaas_migrate import sqlalchemy

    return sqlalchemy.create_engine(path, migrations=MIGRATIONS, **options)


def create_async_engine(path: StrPath, **options: Any) -> AsyncEngine:  # noqa: ANN401 — SQLAlchemy's own
    """Return an async engine for the daemon's database; see :func:`waiaas_migrate.sqlalchemy.create_async_engine`."""
    from waiaas_migrate import sqlalchemy

    return sqlalchemy.create_async_engine(path, migrations=MIGRATIONS, **options)
