"""What a new project begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The database of a project that begins without one.
NEW_DATABASE = "app.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a new project begins with.

    Args:
        files: texts by path, apart from the configuration.
        database: its database, for pyproject.toml.
        notices: sentences for people.
        is_generated: whether ``files`` has the first migration, and the database can be recorded to have run it.
    """

    files: Mapping[Path, str]
    database: str = NEW_DATABASE
    notices: tuple[str, ...] = ()
    is_generated: bool = False
