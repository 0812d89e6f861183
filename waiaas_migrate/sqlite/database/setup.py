"""What an application gives each of its connections: collations, functions and extensions.

The function that does so is set for the length of a run, and called with every connection that the run opens, on files
and in memory alike.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from waiaas_migrate.errors import UsageError

Setup = Callable[[sqlite3.Connection], object]

_SETUP: ContextVar[Setup | None] = ContextVar("_SETUP", default=None)


@contextmanager
def using_setup(setup: Setup | None) -> Iterator[None]:
    """Call ``setup`` with every connection opened meanwhile; None changes nothing."""
    if setup is None:
        yield
        return
    token = _SETUP.set(setup)
    try:
        yield
    finally:
        _SETUP.reset(token)


def set_up(connection: sqlite3.Connection) -> None:
    """Give ``connection`` what the application brings; close it if that fails.

    What is read from it must not depend on the application, so its row factory, text factory and isolation level stay.

    Raises:
        UsageError: the function left a transaction open.
    """
    setup = _SETUP.get()
    if setup is None:
        return
    before = connection.isolation_level, connection.row_factory, connection.text_factory
    try:
        setup(connection)
        _refuse_transaction(connection)
        connection.isolation_level, connection.row_factory, connection.text_factory = before
    except BaseException:
        connection.close()
        raise


def _refuse_transaction(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        raise UsageError("setup: the function left a transaction open. Commit it, or only register functions.")
