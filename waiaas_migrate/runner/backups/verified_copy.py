"""Copy a database to a new file with SQLite's online backup, flush the copy to the disk, and check the copy.

See https://www.sqlite.org/backup.html.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from waiaas_migrate.errors import DatabaseRefused
from waiaas_migrate.files.durable import sync
from waiaas_migrate.sqlite.database.connection import result_code

#: Called during a copy, with the number of pages copied and their total number.
PageListener = Callable[[int, int], None]

#: The mode of a file that only its owner may use.
OWNER_ONLY = 0o600
_PAGES_PER_STEP = 2048
#: Bytes to leave free for other files during a copy, such as the journal of the run.
_MARGIN = 1 << 20


def open_file(path: Path, query: str) -> sqlite3.Connection:
    """Open the database file ``path`` with the URI parameters ``query`` (https://www.sqlite.org/uri.html)."""
    return sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?{query}", uri=True, isolation_level=None)


def open_immutable(path: Path) -> sqlite3.Connection:
    """Open ``path`` read-only, as a file that nobody changes, so that SQLite creates no other files beside it."""
    return open_file(path, "immutable=1&mode=ro")


def copy_and_check(
    source: sqlite3.Connection,
    target: Path,
    *,
    name: str,
    check: Literal["quick_check", "integrity_check"],
    fix: str,
    listener: PageListener | None = None,
) -> str:
    """Copy the last committed state of ``source`` to the new file ``target``; return the damage found by ``check``.

    The copy has mode 0600, and is flushed to the disk. If an error is raised, the caller must remove ``target``. In
    messages, ``name`` is the name of the source, and ``fix`` is the advice if the disk has no room.

    Raises:
        DatabaseRefused: the disk has no room.
        sqlite3.Error: the source cannot be read, or the target cannot be written.
    """

    def progress(_: int, remaining: int, total: int) -> None:  # also lets Ctrl-C end a copy
        if listener is not None:
            listener(total - remaining, total)

    source.execute("BEGIN")
    ((pages,), (page_size,)) = (source.execute(f"PRAGMA {one}").fetchone() for one in ("page_count", "page_size"))
    require_room(target, pages * page_size, name, fix)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
    with closing(open_file(target, "mode=rw")) as copy:
        # No journal is needed: nobody else uses the copy, and the copy is removed if anything fails.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.backup(copy, pages=_PAGES_PER_STEP, progress=progress, sleep=0)
    sync(target)
    return _damage(target, check)


def _damage(path: Path, check: str) -> str:
    """Return the damage that ``check`` finds in the file ``path``; empty if it finds none."""
    try:
        with closing(open_immutable(path)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA {check}")]
    except sqlite3.DatabaseError as error:
        # The check fails with SQLITE_ERROR if it needs the application's functions or collations. That isn't damage.
        return "" if result_code(error) == sqlite3.SQLITE_ERROR else str(error)
    # A row that breaks a CHECK or NOT NULL isn't damage, since the row may be older than the constraint.
    rows = ("CHECK constraint failed in ", "NULL value in ")
    return "; ".join(line for line in found if line != "ok" and not line.startswith(rows))


def require_room(target: Path, size: int, name: str, fix: str) -> None:
    """Refuse to copy the database ``name`` if the disk of ``target`` has no room for ``size`` bytes.

    Raises:
        DatabaseRefused: the disk has no room.
    """
    free = shutil.disk_usage(target.parent).free
    if free < size + _MARGIN:
        raise DatabaseRefused(
            f"{name}: a copy of it takes up to {byte_count(size + _MARGIN)}, and the disk has {byte_count(free)} free. "
            f"Nothing was changed. {fix}"
        )


def byte_count(size: int) -> str:
    """Return a number of bytes in human-readable form, such as ``4.1 kB``."""
    for unit, bytes_in in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_in:
            return f"{size / bytes_in:.1f} {unit}"
    return f"{size} bytes"
