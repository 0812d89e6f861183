"""``inspect`` reads a database without changing anything on disk."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from waiaas_migrate.commands.inspect import inspect
from waiaas_migrate.errors import DatabaseFileError, MigrateError, SchemaFileError, UnsupportedError, UsageError


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database file with a table and an index."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE agents (id TEXT PRIMARY KEY, kind TEXT CHECK (kind IS NULL OR kind IN ('a', 'b')))"
        )
        connection.execute("CREATE INDEX idx_agents_kind ON agents (kind)")
        connection.commit()
    return path


def state_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return content and time of every file in a folder."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_database_is_written_as_schema_yaml(database: Path) -> None:
    """The text is a schema.yaml; the file stays as it was, with nothing beside it."""
    before = state_of(database.parent)
    assert inspect(str(database)).text == (
        "version: 1\n\ntables:\n  agents:\n    columns:\n      id: {type: text, primary_key: true}\n"
        "      kind: {type: text, enum: [a, b]}\n    indexes:\n      idx_agents_kind: [kind]\n"
    )
    assert state_of(database.parent) == before


def test_a_database_in_wal_mode_stays_as_it_was(database: Path) -> None:
    """Reading a database in WAL mode changes neither its mode nor its content, and leaves no extra files."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    before = state_of(database.parent)
    assert "agents:" in inspect(f"sqlite:///{database}").text
    assert state_of(database.parent) == before


def test_what_is_still_in_the_wal_is_read(database: Path) -> None:
    """``inspect`` reads a table that another, still open, connection has just created."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE fresh (a)")
        connection.commit()
        assert "fresh:" in inspect(str(database)).text


def test_enums_of_a_module_are_referred_to(database: Path, tmp_path: Path) -> None:
    """A list of values is written as the name of the module's list with these values, in any order.

    Constants are preferred to classes.
    """
    lists = "import enum\nclass Kind(enum.Enum):\n    A = 'a'\n    B = 'b'\nOTHERS = ('b', 'a')\nKINDS = ['b', 'a']\n"
    (tmp_path / "kinds_of_agents.py").write_text(lists, encoding="utf-8")
    text = inspect(str(database), enums=["kinds_of_agents"], root=tmp_path).text
    assert "enums: kinds_of_agents\n" in text
    assert "kind: {type: text, enum: KINDS}\n" in text


def test_an_unknown_module_is_an_error(database: Path) -> None:
    """A missing module is reported, with the place of its name."""
    with pytest.raises(SchemaFileError, match="enums: no module `not_there`"):
        inspect(str(database), enums=["not_there"])


def test_an_empty_database_is_valid(tmp_path: Path) -> None:
    """A file of no bytes is a database without tables."""
    path = tmp_path / "empty.db"
    path.touch()
    assert inspect(str(path)).text == "version: 1\n\ntables: {}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nonsense" * 1000, "is not a SQLite database, or it is encrypted"),
        (os.urandom(8192), "is not a SQLite database, or it is encrypted"),
        (None, "no such file"),
    ],
    ids=["text", "encrypted", "missing"],
)
def test_what_is_no_database_is_told(tmp_path: Path, content: bytes | None, message: str) -> None:
    """A missing file, and a file that isn't a database, exit with 2, and no file is created."""
    path = tmp_path / "app.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatabaseFileError, match=message) as caught:
        inspect(str(path))
    assert caught.value.exit_code == 2
    assert path.exists() is (content is not None)


def test_a_truncated_database_is_told(database: Path) -> None:
    """A database that was cut off within its catalog is reported as damaged."""
    with closing(sqlite3.connect(database)) as connection:
        for at in range(200):
            connection.execute(f"CREATE TABLE more_{at} (a, b, c, d, e, f, g, h)")
        connection.commit()
    database.write_bytes(database.read_bytes()[:8192])
    with pytest.raises(DatabaseFileError, match="is damaged"):
        inspect(str(database))


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ((b"CREATE TABLE", b"CREATE TABBY"), DatabaseFileError),
        ((b"agents (id", b"\xff\xfe\xff\xfe\xff\xfe (id"), DatabaseFileError),
        ((b"tableagents", b"trickagents"), MigrateError),
        ((b"IS NULL OR", b"IS NULL ((("), DatabaseFileError),
    ],
    ids=["unknown statement", "no UTF-8", "unknown kind", "no SQL"],
)
def test_a_malformed_catalog_is_told(database: Path, damage: tuple[bytes, bytes], error: type[MigrateError]) -> None:
    """A catalog that SQLite can't parse exits with 2."""
    content = database.read_bytes()
    assert damage[0] in content
    database.write_bytes(content.replace(*damage))
    with pytest.raises(error) as caught:
        inspect(str(database))
    assert caught.value.exit_code == 2


def test_what_schema_yaml_cannot_hold_is_refused(database: Path) -> None:
    """An object whose name schema.yaml doesn't accept is refused by name."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute('CREATE TABLE "two\nlines" (a)')
    with pytest.raises(UnsupportedError, match="table 'two"):
        inspect(str(database))


def test_a_database_in_memory_is_refused() -> None:
    """A database in memory is refused, since it would always be empty."""
    with pytest.raises(UsageError, match="in memory"):
        inspect(":memory:")
