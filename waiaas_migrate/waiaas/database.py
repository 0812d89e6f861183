"""Open the daemon's database with the migrations that ship with the package."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from waiaas_migrate.files.bundled import bundled
from waiaas_migrate.runner import open as runner
from waiaas_migrate.runner.open import close_database
from waiaas_migrate.sqlite.database.setup import Setup
from waiaas_migrate.sqlite.database.url import StrPath

if TYPE_CHECKING:
    from waiaas_migrate.runner.options import BackupWhen

__all__ = ["MIGRATIONS", "close_database", "connect", "open_database", "push_schema"]

#: The folder of the shipped migrations.
MIGRATIONS = bundled("migrations")


def open_database(path: StrPath, *, backup: BackupWhen = "auto", setup: Setup | None = None) -> sqlite3.Connection:
    """Open the daemon's database at ``path``, as :func:`waiaas_migrate.open_database` does."""
    return runner.open_database(path, migrations=MIGRATIONS, backup=backup, setup=setup)


def connect(path: StrPath, *, setup: Setup | None = None) -> sqlite3.Connection:
    """Open the daemon's database at ``path`` without migrating it, as :func:`waiaas_migrate.connect` does."""
    return runner.connect(path, migrations=MIGRATIONS, setup=setup)


def push_schema(connection: sqlite3.Connection, *, backup: BackupWhen = "auto") -> None:
    """Apply the daemon's pending migrations on ``connection``, as :func:`waiaas_migrate.push_schema` does."""
    runner.push_schema(connection, migrations=MIGRATIONS, backup=backup)
