"""Places for databases, and engines that are disposed of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.folders import FAMILY, write_folder
from waiaas_migrate.sqlalchemy import create_engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a recorded folder of three migrations."""
    return write_folder(tmp_path / "m", FAMILY)


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the name of a new database in a file, or in memory."""
    return str(tmp_path / "a.db") if request.param == "file" else ":memory:"


@pytest.fixture
def engines() -> Iterator[Callable[..., Engine]]:
    """Make engines, and dispose of them at the end."""
    made: list[Engine] = []

    def make(*arguments: Any, **options: Any) -> Engine:  # noqa: ANN401
        made.append(create_engine(*arguments, **options))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()
