"""Check the arguments of :func:`sqlite3.connect` that an application may pass."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from typing import Any, Literal, TypedDict

from waiaas_migrate.errors import UsageError


class ConnectOptions(TypedDict, total=False):
    """Arguments of :func:`sqlite3.connect`; ``autocommit`` requires Python 3.12."""

    check_same_thread: bool
    isolation_level: Literal["DEFERRED", "IMMEDIATE", "EXCLUSIVE"] | None
    autocommit: bool | Literal[-1]
    factory: Callable[..., sqlite3.Connection]
    detect_types: int
    cached_statements: int


#: The advice for arguments of :func:`sqlite3.connect` that this package sets itself.
_ALTERNATIVES = {
    "timeout": "declare `busy_timeout` in the pragmas of schema.yaml.",
    "uri": "give a path that begins with `file:`.",
}


def check_options(options: dict[str, Any]) -> None:
    """Check that ``options`` are those of :class:`ConnectOptions`.

    Raises:
        UsageError: an option is unknown, or requires a newer Python.
    """
    allowed = ConnectOptions.__annotations__
    for name in options:
        if name not in allowed:
            instead = _ALTERNATIVES.get(name, f"use one of {', '.join(allowed)}.")
            raise UsageError(f"{name} is not an option of the connection. Instead, {instead}")
    if "autocommit" in options and sys.version_info < (3, 12):
        raise UsageError("autocommit requires Python 3.12. Use isolation_level=None, or begin transactions by hand.")
