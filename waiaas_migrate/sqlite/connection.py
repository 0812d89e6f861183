"""Connections: which file is meant, how it is opened, and the PRAGMAs that every connection gets.

What is opened is a :class:`Database`. Text from outside (a path, ``:memory:``, a ``file:`` URI, a ``sqlite:///`` URL)
becomes one in :func:`database_path`; a :class:`~pathlib.Path` always means the file of that name.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from waiaas_migrate.errors import DatabaseBusy, DatabaseFileError, MigrateError, PragmaError, UsageError
from waiaas_migrate.sqlite.pragmas import (
    FILE_ONLY,
    KEPT_IN_FILE,
    SHAPE,
    Pragma,
    checked_name,
    matches,
    only_value,
    read_pragma,
    set_together,
)

#: Seconds to wait for another connection's lock, where nothing else was declared; the default of sqlite3.connect.
DEFAULT_TIMEOUT = 5.0
MEMORY = ":memory:"
CANNOT_BE_WRITTEN = "cannot be written. Give the file and its folder write permission, or run as its owner."
_OWNER_ONLY = 0o600
_SIGNS_OF_DAMAGE = ("unsupported file format", "Could not decode to UTF-8", "'utf-8' codec can't decode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What to open. ``file`` is None for a database in memory; ``uri`` is set where a ``file:`` URI was given."""

    name: str
    file: str | None
    uri: str | None = None

    @property
    def path(self) -> Path | None:
        """The file as a path."""
        return None if self.file is None else Path(self.file)


def database_path(text: str | os.PathLike[str]) -> Database:
    """What ``text`` means: a path, ``:memory:``, a ``file:`` URI, or a ``sqlite:`` URL.

    A URI is SQLite's own (https://www.sqlite.org/uri.html). A URL has three slashes before a relative path and four
    before an absolute one, as with yoyo and SQLAlchemy. In a plain path every character stands for itself.

    Raises:
        UsageError: names what is wrong with the text.
    """
    name = os.fspath(text)
    if not name or "\0" in name:
        raise UsageError(f"{name!r} is no name of a database. Give a path, :memory: or a sqlite:/// URL.")
    if isinstance(text, str) and name.startswith("file:"):
        return _from_uri(name)
    if isinstance(text, str) and name.startswith("sqlite:"):
        return _from_url(name)
    return Database(name=name, file=None if text == MEMORY else name)


def _from_uri(uri: str) -> Database:
    parts = urlsplit(uri)
    modes = parse_qs(parts.query).get("mode", [])
    path = unquote(parts.path)
    if path in ("", MEMORY) or "memory" in modes:
        return Database(name=uri, file=None, uri=uri)
    if "\0" in path:
        raise UsageError(f"{uri} holds a character that no file name can have. Correct the URI.")
    return Database(name=uri, file=path, uri=uri)


def _from_url(url: str) -> Database:
    parts = urlsplit(url)
    if parts.netloc or not url.startswith("sqlite://"):
        raise UsageError(f"{url} is no database URL. Write sqlite:///relative/path.db or sqlite:////absolute/path.db.")
    if parts.query or parts.fragment:
        raise UsageError(f"{url} has a ? or # outside its path. Write them as %3F and %23, or give the plain path.")
    path = unquote(parts.path.removeprefix("/"))
    if path in ("", MEMORY):
        return Database(name=MEMORY, file=None)
    if "\0" in path:
        raise UsageError(f"{url} holds a character that no file name can have. Correct the URL.")
    return Database(name=path, file=path)


def connect_file(
    path: str | os.PathLike[str] | Database,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    check_same_thread: bool = True,
    probe: bool = True,
) -> sqlite3.Connection:
    """Open a database for reading and writing; a file that is not there is made, for its owner alone.

    Without ``probe`` nothing is read yet, and so what is wrong with the content not known.

    Raises:
        DatabaseFileError: the file cannot be opened, cannot be written, or is no SQLite database.
        DatabaseBusy: another connection kept it locked for longer than ``timeout`` seconds.
        UsageError: the path means nothing.
    """
    database = path if isinstance(path, Database) else database_path(path)
    if (file := database.file) is not None:
        _prepare_file(database, file)
    with plain_errors(database.name, doing="opening it"):
        # An absolute path begins with a slash, so that no file's name is mistaken for ":memory:" or a URI.
        target = database.uri or (MEMORY if file is None else os.path.abspath(file))  # noqa: PTH100 — a link stays a link
        connection = sqlite3.connect(
            target, timeout=timeout, check_same_thread=check_same_thread, uri=bool(database.uri)
        )
        if probe:
            _probe(connection)
    return connection


def _prepare_file(database: Database, file: str) -> None:
    """Make the file if it is missing, readable and writable by its owner alone, or say why it cannot be used.

    SQLite gives its journal and WAL files the mode of the database (https://www.sqlite.org/src/file/src/os_unix.c).
    """
    if database.uri and {"ro", "rw"} & set(parse_qs(urlsplit(database.uri).query).get("mode", [])):
        _require_file(database.name, Path(file))
        return
    if os.path.isfile(file) and os.access(file, os.R_OK | os.W_OK):  # noqa: PTH113 — the faster of the two
        return
    path = Path(file)
    try:
        # O_EXCL does not follow links, so the link is followed here. Of several processes exactly one makes the file.
        descriptor = os.open(os.path.realpath(path), os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY)
    except FileExistsError:
        _require_file(database.name, path)
    except OSError as error:
        raise DatabaseFileError(f"{database.name}: cannot be made: {_os_reason(path, error)}") from error
    else:
        os.close(descriptor)
        return
    if not os.access(path, os.W_OK):
        raise DatabaseFileError(
            f"{database.name}: is read-only for this user. Give it write permission, or open it as its owner."
        )


def _require_file(name: str, path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DatabaseFileError(f"{name}: cannot be opened: {_os_reason(path, error)}") from error
    if stat.S_ISDIR(mode):
        raise DatabaseFileError(f"{name}: is a folder. Give the path of a database file.")
    if not stat.S_ISREG(mode):
        raise DatabaseFileError(f"{name}: is no regular file. Give the path of a database file.")
    if not os.access(path, os.R_OK):
        raise DatabaseFileError(
            f"{name}: cannot be read by this user. Give it read permission, or open it as its owner."
        )


def _os_reason(path: Path, error: OSError) -> str:
    match error:
        case FileNotFoundError() if not path.parent.exists():
            return f"the folder {path.parent} does not exist. Make it first."
        case FileNotFoundError():
            return "there is no such file. Check the path."
        case NotADirectoryError():
            return f"{path.parent} is not a folder. Check the path."
        case PermissionError():
            return f"permission denied in {path.parent}. Use a folder that this user may write to."
        case _:
            return f"{error.strerror or error}. Check the path."


def open_read_only(path: str | os.PathLike[str] | Database) -> sqlite3.Connection:
    """Open a database that is there, for reading; its content is never changed.

    Where WAL mode's files cannot be made, it is read as immutable (https://www.sqlite.org/wal.html#readonly).

    Raises:
        DatabaseFileError: the file is missing, cannot be read, or is no SQLite database.
        DatabaseBusy: another connection kept it locked.
        UsageError: the path means nothing.
    """
    database = path if isinstance(path, Database) else database_path(path)
    if database.path is None:
        raise UsageError(f"{database.name}: a database in memory holds nothing to read. Give the path of a file.")
    _require_file(database.name, database.path)
    absolute = os.path.abspath(database.path)  # noqa: PTH100 — a link stays a link: SQLite finds the WAL beside its target
    file = Path(os.path.realpath(absolute))
    uri = f"file:{quote(os.fsencode(absolute))}?mode="
    with plain_errors(database.name, doing="opening it"):
        try:
            return _open_uri(uri + ("rw" if _makes_wal(file) else "ro"))
        except sqlite3.OperationalError as error:
            if result_code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or not _is_whole(file):
                raise
            return _open_uri(f"{uri}ro&immutable=1")


def _open_uri(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True)
    connection.execute("PRAGMA query_only = ON")
    _probe(connection)
    return connection


def _makes_wal(file: Path) -> bool:
    """Whether reading makes a WAL: only a connection that may write takes it away again, and has else nothing to do."""
    if not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK) and _is_whole(file)):
        return False
    with file.open("rb") as content:
        is_wal = content.read(20)[18:] == b"\2\2"
    return is_wal and not any(file.with_name(file.name + suffix).exists() for suffix in ("-wal", "-shm"))


def _is_whole(path: Path) -> bool:
    """Whether everything is in the file itself: there is no WAL or journal, or an empty one."""
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-journal")]
    return not any(file.exists() and file.stat().st_size for file in beside)


def _probe(connection: sqlite3.Connection) -> None:
    """Read the catalog, since SQLite opens a file only when something is read from it; close on failure."""
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise


def result_code(error: sqlite3.Error | UnicodeDecodeError) -> int:
    """The primary result code (https://www.sqlite.org/rescode.html); 0 for errors of the Python module's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def plain_error(error: sqlite3.Error | UnicodeDecodeError, database: str, *, doing: str) -> MigrateError | None:
    """What an error of SQLite's means where the file or a lock is at fault; None where the SQL is."""
    match result_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseBusy(database=database, doing=doing)
        case sqlite3.SQLITE_NOTADB:
            what = "is not a SQLite database, or it is encrypted. Check the path."
        case code if code == sqlite3.SQLITE_CORRUPT or str(error).startswith(_SIGNS_OF_DAMAGE):
            what = f"is damaged, or made by a newer SQLite ({error}). Restore a backup, or use `sqlite3 FILE .recover`."
        case sqlite3.SQLITE_CANTOPEN:
            what = "cannot be opened, or its folder does not let SQLite make the files it needs beside it."
        case sqlite3.SQLITE_READONLY:
            what = CANNOT_BE_WRITTEN
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_FULL:
            what = f"could not be read or written ({error}). Check the disk and its free space."
        case _:
            return None
    return DatabaseFileError(f"{database}: {what}")


class plain_errors:  # noqa: N801 — a context manager, and on the way of every opening: a generator takes thrice as long
    """Raise errors of this package's for what the file or a lock is at fault for; let all others pass.

    ``database`` is a name for messages, or the connection that knows it.
    """

    def __init__(self, database: str | sqlite3.Connection, *, doing: str) -> None:
        self._database, self._doing = database, doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            name = self._database if isinstance(self._database, str) else database_name(self._database)
            if (plain := plain_error(error, name, doing=self._doing)) is not None:
                raise plain from error


def database_name(connection: sqlite3.Connection) -> str:
    """The path of the main database, for messages; ``:memory:`` where there is no file."""
    return main_file(connection) or MEMORY


def main_file(connection: sqlite3.Connection) -> str:
    """The path of the main database as SQLite knows it; empty for one in memory and for a temporary one."""
    cursor = connection.cursor()
    cursor.row_factory = None
    files = (file for _, schema, file in cursor.execute("PRAGMA database_list") if schema in ("main", b"main"))
    return os.fsdecode(next(files, None) or "")


def apply_pragmas(connection: sqlite3.Connection, pragmas: Sequence[Pragma], database: str | None = None) -> None:
    """Set each PRAGMA in its order and read it back; ``database`` is the name for messages.

    Raises:
        PragmaError: one reads back another value, or nothing.
        DatabaseBusy: the journal mode could not be changed behind other connections.
        UsageError: a name or value that is no plain word or number.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    if set_together(cursor, pragmas):
        return
    deadline = time.monotonic() + _patience(pragmas)
    for pragma in pragmas:
        name = checked_name(pragma.name, pragma.value)
        if name in KEPT_IN_FILE and matches(pragma, read_pragma(cursor, name)):
            continue
        found = _set(cursor, pragma, database, deadline)
        if found is None or not matches(pragma, found):
            found = read_pragma(cursor, name)
        if not matches(pragma, found) and not (name in FILE_ONLY and not main_file(connection)):
            told, where = "nothing" if found is None else str(found), database or database_name(connection)
            raise PragmaError(name=pragma.name, wanted=str(pragma.value), found=told, database=where)


def shape_file(connection: sqlite3.Connection, pragmas: Sequence[Pragma], database: str | None = None) -> None:
    """Set those PRAGMAs that take effect only before the first table, if there is none yet."""
    shape = [pragma for pragma in pragmas if pragma.name.lower() in SHAPE]
    if shape and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        apply_pragmas(connection, shape, database)


def _patience(pragmas: Sequence[Pragma]) -> float:
    """Seconds to wait for other connections: the declared busy timeout."""
    declared = (str(pragma.value) for pragma in pragmas if pragma.name.lower() == "busy_timeout")
    return next((int(value) / 1000 for value in declared if value.isdigit()), DEFAULT_TIMEOUT)


def _set(cursor: sqlite3.Cursor, pragma: Pragma, database: str | None, deadline: float) -> str | int | None:
    """Set ``pragma``, trying again until ``deadline`` while another connection is in the way; some tell the new value.

    Switching to WAL does not wait for ``busy_timeout`` (https://www.sqlite.org/c3ref/busy_handler.html), so it is
    repeated here.
    """
    pause = 0.001
    while True:
        try:
            rows = cursor.execute(f"PRAGMA {pragma.name} = '{pragma.value}'").fetchall()
        except sqlite3.OperationalError as error:
            name = database or database_name(cursor.connection)
            plain = plain_error(error, name, doing=f"setting PRAGMA {pragma.name}")
            if plain is None:
                found = f"an error, {error}"
                raise PragmaError(name=pragma.name, wanted=str(pragma.value), found=found, database=name) from error
            if not isinstance(plain, DatabaseBusy) or time.monotonic() > deadline:
                raise plain from error
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        else:
            return only_value(rows)
