"""The oldest SQLite that the toolkit works with."""

from __future__ import annotations

import sqlite3

from waiaas_migrate.errors import UnsupportedError

#: 3.37 has STRICT tables and ``pragma_table_list`` (https://www.sqlite.org/releaselog/3_37_0.html).
OLDEST = (3, 37, 0)


def require_sqlite() -> None:
    """Refuse a Python whose SQLite is too old.

    Raises:
        UnsupportedError: names the version, and what to do.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise UnsupportedError(
            f"SQLite {sqlite3.sqlite_version} is too old: waiaas-migrate requires SQLite 3.37 or newer. "
            f"Use a Python that is built with a newer SQLite."
        )
