"""Parse the names of databases: paths, URIs and URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from waiaas_migrate.errors import UsageError
from waiaas_migrate.sqlite.database.url import database_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.db", "a.db"),
        ("/tmp/a b?#%.db", "/tmp/a b?#%.db"),  # noqa: S108 — nothing is written
        ("sqlite:///a.db", "a.db"),
        ("sqlite:////var/a.db", "/var/a.db"),
        ("sqlite:///a%3Fb%23.db", "a?b#.db"),
        ("file:a%20b.db?mode=ro", "a b.db"),
        ("file:///var/a.db", "/var/a.db"),
    ],
)
def test_text_names_a_file(text: str, path: str) -> None:
    """A path is used as it is; a URI and a URL are decoded."""
    assert database_path(text).path == Path(path)


@pytest.mark.parametrize("text", [":memory:", "sqlite://", "sqlite:///:memory:", "file::memory:", "file:x?mode=memory"])
def test_text_names_a_database_in_memory(text: str) -> None:
    """Each of these names has no file."""
    assert database_path(text).path is None


@pytest.mark.parametrize("text", ["", "a\0b", "sqlite:a.db", "sqlite://a.db", "sqlite:///a?b", "file:a%00b"])
def test_text_that_names_nothing_is_refused(text: str) -> None:
    """Text that could be mistaken for another file is a usage error."""
    with pytest.raises(UsageError):
        database_path(text)
