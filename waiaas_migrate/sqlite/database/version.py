"""Check the version of SQLite."""

from __future__ import annotations

import sqlite3

from waiaas_migrate.errors import UnsupportedError

#: 3.37 has STRICT tables and ``pragma_table_list`` (https://www.sqlite.org/releaselog/3_37_0.html).
OLDEST = (3, 37, 0)


def require_sqlite() -> None:
    """Check that the SQLite in Python is new enough.

    Raises:
        UnsupportedError: it is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise UnsupportedError(
            f"SQLite {sqlite3.sqlite_version} is too old: waiaas-migrate requires SQLite 3.37 or newer. "
            f"Use a Python that is built with a newer SQLite."
        )
