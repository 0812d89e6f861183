"""Runs on real files, and what yoyo's tables record of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from waiaas_migrate.runner.apply import ApplyResult, apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.yoyo.applied import read_applied


def apply(connection: sqlite3.Connection, folder: Path) -> ApplyResult:
    """Apply pending migrations."""
    return apply_pending(connection, read_folder(folder))


def applied_ids(connection: sqlite3.Connection) -> list[str]:
    """Return the ids that yoyo's tables record."""
    return [row.id for row in read_applied(connection) or ()]
