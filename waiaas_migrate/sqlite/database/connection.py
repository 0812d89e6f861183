"""Open databases, and convert SQLite's errors to this package's errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from waiaas_migrate.errors import (
    DatabaseBusy,
    DatabaseFileError,
    DatabaseRefused,
    MigrateError,
    UnsupportedError,
    UsageError,
)
from waiaas_migrate.sqlite.database.file import file_of_mode_0600, is_whole, reading_mode, require_file
from waiaas_migrate.sqlite.database.setup import set_up
from waiaas_migrate.sqlite.database.url import MEMORY, Database, StrPath, database_path

#: The oldest supported SQLite: the first with STRICT tables and ``pragma_table_list`` (https://www.sqlite.org/releaselog/3_37_0.html).
OLDEST = (3, 37, 0)
#: The seconds to wait for locks of other connections if nothing else is declared, as by default in sqlite3.connect.
DEFAULT_TIMEOUT = 5.0
#: The number of SQLite's instructions (a few milliseconds) after which Python can handle a signal such as Ctrl-C.
PROGRESS_INTERVAL = 50_000
_CANNOT_BE_WRITTEN = (
    "cannot be written. Give the file and its folder write permission, or run as its owner; if a newer SQLite made it, "
    "use that."
)
_CANNOT_CREATE_WAL = (
    "cannot be used: SQLite cannot make files beside it, which a WAL needs even for reading. Give the folder write "
    "permission. To read a database that nobody changes, open it as file:PATH?immutable=1."
)
#: The problem with a file, by SQLite's result code (https://www.sqlite.org/rescode.html). An extended code takes
#: precedence over its primary code.
_FAULTS = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database, or it is encrypted or made by a newer SQLite. Check the path.",
    sqlite3.SQLITE_CORRUPT: (
        "is damaged, or made by a newer SQLite ({error}). Restore a backup, or use `sqlite3 FILE .recover`."
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened, or SQLite cannot make the files it needs beside it. Open it as its owner, or check the "
        "permissions of its folder."
    ),
    sqlite3.SQLITE_IOERR: "could not be read or written ({error}). Check the disk and its free space.",
    sqlite3.SQLITE_READONLY: _CANNOT_BE_WRITTEN,
    sqlite3.SQLITE_READONLY_DIRECTORY: _CANNOT_CREATE_WAL,
    sqlite3.SQLITE_READONLY_CANTINIT: _CANNOT_CREATE_WAL,
    sqlite3.SQLITE_READONLY_ROLLBACK: "was left half-written by a killed process. Its owner must open it to undo that.",
}
#: Result codes if the disk is full. The last two concern the index of a WAL.
_DISK_FULL = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_TRUNCATE}
    | {sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP}
)
#: The beginnings of messages that mean a damaged file.
_SIGNS_OF_DAMAGE = ("unsupported file format", "Could not decode to UTF-8", "'utf-8' codec can't decode")
#: Result codes if SQLite can't create a WAL, because permission or space is missing.
_WAL_NOT_CREATED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)


def require_sqlite() -> None:
    """Check that Python uses a version of SQLite that this package supports.

    Raises:
        UnsupportedError: SQLite is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise UnsupportedError(
            f"SQLite {sqlite3.sqlite_version} is too old: waiaas-migrate requires SQLite 3.37 or newer. "
            f"Use a Python that is built with a newer SQLite."
        )


def connect_file(
    path: StrPath | Database,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    probe: bool = True,
    options: Mapping[str, Any] | None = None,
) -> sqlite3.Connection:
    """Open a database for reading and writing; create a missing file with mode 0600.

    Args:
        path: a path, URI, URL or ``:memory:``.
        timeout: seconds to wait for locks of other connections.
        probe: whether to read the catalog, which fails if the file isn't a database.
        options: further arguments of :func:`sqlite3.connect`.

    Raises:
        DatabaseFileError: the file can't be opened or written, or isn't a SQLite database.
        DatabaseBusy: another connection kept the database locked for longer than ``timeout``.
        UsageError: the path does not name a database, or the setup function left a transaction open.
    """
    require_sqlite()
    database = path if isinstance(path, Database) else database_path(path)
    with plain_errors(database.name, doing="opening it"):
        try:
            connection = _connect(database, timeout=timeout, **(options or {}))
        except sqlite3.OperationalError as error:
            _refuse_uri(database, error)
            raise
    set_up(connection)
    if probe:
        with plain_errors(database.name, doing="opening it"):
            _probe(connection)
    return connection


def _connect(database: Database, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 — as sqlite3.connect
    """Connect to a database; create a missing file."""
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    file = database.file
    if file is None:
        return connect(database.uri or MEMORY, uri=database.uri is not None, **options)
    # Make the path absolute, so that SQLite doesn't take a file name for ":memory:" or a URI.
    absolute = os.path.abspath(file)  # noqa: PTH100 — resolves no links
    address = (database.uri or f"file:{quote(os.fsencode(absolute))}").partition("#")[0]
    if not (os.path.isfile(file) and os.access(file, os.R_OK | os.W_OK)):  # noqa: PTH113 — faster than Path.is_file
        if not database.needs_file and not os.path.lexists(os.path.realpath(file)):
            with file_of_mode_0600(database, file) as example:
                # The new file gets the mode of ``example``, and its WAL gets the mode of the new file.
                parameter = f"{'&' if '?' in address else '?'}modeof={quote(os.fsencode(example))}"
                return connect(address + parameter, uri=True, **options)
        require_file(database.name, Path(file))
        if not database.needs_file and not os.access(file, os.W_OK):
            raise DatabaseFileError(
                f"{database.name}: is read-only for this user. Give it write permission, or open it as its owner. To "
                f"only read it, open it as file:PATH?mode=ro."
            )
    return connect(database.uri or f"{address}?mode=rw", uri=True, **options)


def _refuse_uri(database: Database, error: sqlite3.OperationalError) -> None:
    """Raise UsageError if SQLite rejects the URI, for example because of an unknown VFS."""
    if database.uri is not None and result_code(error) == sqlite3.SQLITE_ERROR:
        raise UsageError(
            f"{database.uri}: is not a URI that SQLite can open: {error}. See https://www.sqlite.org/uri.html."
        ) from error


def open_read_only(path: StrPath | Database) -> sqlite3.Connection:
    """Open an existing database for reading.

    Opening never changes committed data, but may roll back the unfinished transaction of a killed process. In WAL mode,
    if SQLite can't create the WAL, open the file as immutable (https://www.sqlite.org/wal.html#readonly).

    Raises:
        DatabaseFileError: the file is missing, can't be read, or isn't a SQLite database.
        DatabaseBusy: another connection kept the database locked.
        UsageError: the path does not name a database file.
    """
    require_sqlite()
    database = path if isinstance(path, Database) else database_path(path)
    if database.path is None:
        raise UsageError(f"{database.name}: a database in memory holds nothing to read. Give the path of a file.")
    require_file(database.name, database.path)
    # SQLite resolves links itself, and finds the WAL beside the target.
    absolute = os.path.abspath(database.path)  # noqa: PTH100 — resolves no links
    file = Path(os.path.realpath(absolute))
    uri = f"file:{quote(os.fsencode(absolute))}?{database.query}mode="
    with plain_errors(database.name, doing="opening it"):
        try:
            return _open_uri(uri + reading_mode(file))
        except sqlite3.OperationalError as error:
            _refuse_uri(database, error)
            if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
                # A killed process left an unfinished transaction. Only a writable connection rolls it back.
                return _open_uri(f"{uri}rw")
            if result_code(error) not in _WAL_NOT_CREATED or not is_whole(file):
                raise
            return _open_uri(f"{uri}ro&immutable=1")


def _open_uri(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True)
    set_up(connection)
    # Without a callback, Python handles Ctrl-C only after the query, which may never end.
    connection.set_progress_handler(lambda: 0, PROGRESS_INTERVAL)
    connection.execute("PRAGMA query_only = ON")
    _probe(connection)
    return connection


def _probe(connection: sqlite3.Connection) -> None:
    """Read the catalog, so that SQLite opens the file; close the connection if that fails."""
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise


def result_code(error: sqlite3.Error | UnicodeDecodeError) -> int:
    """Return SQLite's primary result code; 0 if Python raised the error itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def plain_error(
    error: sqlite3.Error | UnicodeDecodeError, where: str | sqlite3.Connection, *, doing: str
) -> MigrateError | None:
    """Return this package's error for an error of SQLite; None if the SQL caused it.

    Other causes are files, the disk, locks and authorizers. ``where`` is the database's name for messages, or a
    connection to it. ``doing`` says what failed, as in "opening it".
    """
    code, extended = result_code(error), getattr(error, "sqlite_errorcode", 0)
    if isinstance(where, sqlite3.Connection):
        if extended == sqlite3.SQLITE_READONLY:
            return _not_writable(where)
        where = database_name(where)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusy(database=where, doing=doing)
    if extended in _DISK_FULL:
        return DatabaseRefused(
            f"{where}: {error} while {doing}: the disk is full, or failing. Nothing was changed. Make room; try again."
        )
    if extended == sqlite3.SQLITE_READONLY_DBMOVED:
        return DatabaseRefused(
            f"{where}: another file replaced it while {doing}, as `restore` does. Nothing was changed; try again."
        )
    if code == sqlite3.SQLITE_AUTH:
        return UsageError(
            f"{where}: an authorizer of this connection forbids a needed action. Remove it: set_authorizer(None)."
        )
    if str(error).startswith(_SIGNS_OF_DAMAGE):
        code = sqlite3.SQLITE_CORRUPT
    fault = _FAULTS.get(extended) or _FAULTS.get(code)
    return None if fault is None else DatabaseFileError(f"{where}: {fault.format(error=error)}")


def _not_writable(connection: sqlite3.Connection) -> MigrateError:
    """Return an error that says why SQLite can't write to a database."""
    with suppress(sqlite3.Error):
        cursor = connection.cursor()
        cursor.row_factory = None
        if cursor.execute("PRAGMA query_only").fetchone() == (1,):
            return UsageError(
                f"{database_name(connection)}: PRAGMA query_only is ON for this connection. Nothing was changed. Turn "
                f"it off, then try again."
            )
    file = main_file(connection)
    if file and all(os.access(path, os.W_OK) for path in (file, os.path.dirname(file))):  # noqa: PTH120
        return UsageError(
            f"{file}: is open read-only: the URI has mode=ro or immutable=1, or a newer SQLite made the file. Nothing "
            f"was changed. Open it for writing, or use the newer SQLite."
        )
    return DatabaseFileError(f"{database_name(connection)}: {_CANNOT_BE_WRITTEN}")


class plain_errors:  # noqa: N801 — a context manager. Written with a generator, it would take three times as long
    """Convert SQLite's errors in a ``with`` block, as :func:`plain_error` does.

    Errors that the SQL caused pass unchanged. ``database`` is the database's name for messages, or a connection to it.
    """

    def __init__(self, database: str | sqlite3.Connection, *, doing: str) -> None:
        self._database, self._doing = database, doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, sqlite3.Error | UnicodeDecodeError):
            return
        if (plain := plain_error(error, self._database, doing=self._doing)) is not None:
            raise plain from error


@contextmanager
def undone_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Undo the statements of a ``with`` block if it raises an error."""
    connection.execute("SAVEPOINT block")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # the error may have rolled back the whole transaction
            connection.execute("ROLLBACK TO block")
        raise
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE block")


def database_of(connection: sqlite3.Connection) -> Database:
    """Return the main database of ``connection``, without a path if an authorizer hides it."""
    try:
        file = main_file(connection)
    except sqlite3.Error:  # an authorizer may forbid even this query
        return Database(name="the database", file=None)
    return Database(name=file or MEMORY, file=file or None)


def database_name(connection: sqlite3.Connection) -> str:
    """Return the main database's name for messages: its path, ``:memory:`` or "the database"."""
    return database_of(connection).name


def main_file(connection: sqlite3.Connection) -> str:
    """Return the path of the main database; empty if it is in memory or temporary."""
    before, connection.text_factory = connection.text_factory, bytes  # the path may not be UTF-8
    try:
        cursor = connection.cursor()
        cursor.row_factory = None
        files = {schema: file for _, schema, file in cursor.execute("PRAGMA database_list")}
    finally:
        connection.text_factory = before
    return os.fsdecode(files[b"main"] or b"")


def busy_timeout(connection: sqlite3.Connection) -> float:
    """Return the seconds that ``connection`` waits for locks of other connections."""
    return int(connection.execute("PRAGMA busy_timeout").fetchone()[0]) / 1000
