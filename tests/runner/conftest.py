"""Fixtures that many tests of the runner share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder
from waiaas_migrate.sqlite.database.connection import connect_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a recorded folder of three migrations."""
    return write_folder(tmp_path / "m", FAMILY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the database."""
    return tmp_path / "a.db"


@pytest.fixture(params=["DELETE", "WAL"])
def connection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a new file, in either journal mode."""
    with closing(connect_file(tmp_path / "a.db")) as connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
        yield connection
