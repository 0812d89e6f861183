"""What is read of a database that others use meanwhile."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder
from waiaas_migrate.commands.live_database import reading, standing
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.runner.apply import apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.open import close_database, open_database
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.reading.introspect import introspect

MORE = {"0004_more.sql": "-- depends: 0003_age\nCREATE TABLE more (x);\nALTER TABLE child ADD COLUMN note TEXT;\n"}


@pytest.mark.parametrize("opening", ["books", "catalog"])
def test_all_is_of_one_moment(tmp_path: Path, opening: str) -> None:
    """What is recorded and what is there belong together, though a migration be applied between the two readings."""
    folder, path = write_folder(tmp_path / "m", FAMILY), tmp_path / "a.db"
    close_database(open_database(path, migrations=folder))
    with reading(str(path)) as (connection, _):
        before = introspect(connection)
    write_folder(folder, MORE)
    migrations = read_migrations(folder)
    with reading(str(path)) as (connection, _):
        assert opening != "books" or standing(connection, migrations).pending
        assert opening != "catalog" or introspect(connection) == before
        with closing(connect_file(path)) as other:
            assert apply_pending(other, read_folder(folder)).applied == ("0004_more",)
        assert introspect(connection) == before
        assert [migration.id for migration in standing(connection, migrations).pending] == ["0004_more"]
    with reading(str(path)) as (connection, _):
        assert introspect(connection) != before
        assert not standing(connection, migrations).pending
