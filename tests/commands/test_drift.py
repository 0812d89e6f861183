"""``drift`` and ``status`` while other processes write to the database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder
from waiaas_migrate.commands.live_database import database_state, live_connection, read_project_folder
from waiaas_migrate.files.project import find_project
from waiaas_migrate.runner.open import close_database, open_database, push_schema
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.reading.introspect import introspect

MORE = {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (x);\nALTER TABLE child ADD COLUMN note TEXT;\n"}


@pytest.mark.parametrize("first", ["record", "catalog"])
def test_everything_is_read_at_one_moment(tmp_path: Path, first: str) -> None:
    """The record of migrations and the catalog match, even if a migration is applied between the reads."""
    folder, path = write_folder(tmp_path / "migrations", FAMILY), tmp_path / "a.db"
    project = find_project(tmp_path)
    close_database(open_database(path, migrations=folder))
    with live_connection(str(path)) as (connection, _):
        before = introspect(connection)
    write_folder(folder, MORE)
    known = read_project_folder(project)
    with live_connection(str(path)) as (connection, _):
        assert first != "record" or database_state(connection, known).pending
        assert first != "catalog" or introspect(connection) == before
        with closing(connect_file(path)) as other:
            push_schema(other, migrations=folder)
        assert introspect(connection) == before
        assert [migration.id for migration in database_state(connection, known).pending] == ["0004_more"]
    with live_connection(str(path)) as (connection, _):
        assert introspect(connection) != before
        assert not database_state(connection, known).pending
