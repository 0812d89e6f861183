"""Call the application's setup function for each new connection.

Users pass the function as ``setup=``. It adds collations, functions and extensions to every connection that this
package opens, including connections to databases in memory.
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
    """Use ``setup`` for connections opened in a ``with`` block; None changes nothing."""
    token = _SETUP.set(_SETUP.get() if setup is None else setup)
    try:
        yield
    finally:
        _SETUP.reset(token)


def set_up(connection: sqlite3.Connection) -> None:
    """Call the setup function with ``connection``; close the connection if the function fails.

    Afterwards, restore the row factory, text factory and isolation level, because this package relies on the defaults.

    Raises:
        UsageError: the function left a transaction open.
    """
    setup = _SETUP.get()
    if setup is None:
        return
    before = connection.isolation_level, connection.row_factory, connection.text_factory
    try:
        setup(connection)
        if connection.in_transaction:
            what = "setup: the function left a transaction open. Commit it, or only register functions."
            raise UsageError(what)  # noqa: TRY301 — closes the connection, as every error here does
        connection.isolation_level, connection.row_factory, connection.text_factory = before
    except BaseException:
        connection.close()
        raise
