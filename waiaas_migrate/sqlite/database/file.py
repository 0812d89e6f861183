"""Create and check database files, and choose how to open them for reading.

If SQLite has a file open, this module must not open and close it too: on POSIX systems, that drops all locks that the
process has on the file
(https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from waiaas_migrate.errors import DatabaseFileError
from waiaas_migrate.sqlite.database.url import Database


@contextmanager
def file_of_mode_0600(database: Database, file: str) -> Iterator[str]:
    """Create a temporary file of mode 0600 beside the missing ``file``, and yield its path.

    If the URI parameter ``modeof`` names the temporary file, SQLite creates the database with the same mode
    (https://www.sqlite.org/uri.html).

    Raises:
        DatabaseFileError: the database was deleted meanwhile, or its folder can't be written.
    """
    from tempfile import NamedTemporaryFile  # not needed for an existing file

    if database.existed_before:
        raise DatabaseFileError(
            f"{database.name}: the file no longer exists, and was not created again. To create it, pass its path."
        )
    try:
        with suppress(FileNotFoundError):
            os.lstat(file)  # explains why SQLite can't open the file, such as a name that is too long
        with NamedTemporaryFile(dir=Path(os.path.realpath(file)).parent, prefix=".waiaas-") as example:
            yield example.name
    except OSError as error:
        raise DatabaseFileError(f"{database.name}: cannot be created: {_os_reason(Path(file), error)}") from error


def require_file(name: str, path: Path) -> None:
    """Check that ``path`` is a regular file that this user may read; messages call it ``name``.

    Raises:
        DatabaseFileError: the file is missing or unreadable, or isn't a regular file.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise DatabaseFileError(f"{name}: cannot be opened: {_os_reason(path, error)}") from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise DatabaseFileError(f"{name}: is {what}. Give the path of a database file.")
    if not os.access(path, os.R_OK):
        raise DatabaseFileError(
            f"{name}: cannot be read by this user. Give it read permission, or open it as its owner."
        )


def _os_reason(path: Path, error: OSError) -> str:
    """Return the reason for ``error``, and what to do."""
    # For a link, name the folder of its target.
    folder = Path(os.path.realpath(path)).parent if os.path.islink(path) else path.parent  # noqa: PTH114 — never raises
    match error:
        case FileNotFoundError() if not os.path.lexists(folder):
            return f"the folder {folder} does not exist. Create it first."
        case FileNotFoundError():
            return "no such file. Check the path."
        case NotADirectoryError():
            return f"{folder} is not a folder. Check the path."
        case PermissionError():
            return f"permission denied in {folder}. Use a folder that this user may write to."
        case _:
            return f"{error.strerror or error}. Check the path."


def reading_mode(file: Path) -> str:
    """Return the value of the URI parameter ``mode`` for reading, and further parameters.

    The connection must leave no files beside the database. In WAL mode, a reader creates the WAL and its index if they
    are missing, and owns these files. Only a writable connection removes them when it closes. If a reader is killed,
    its files stay and may lock out the database's owner. So only the owner and root may create them; SQLite gives
    root's files to the owner. If no WAL exists, no connection has the database open, and the file contains all data.
    """
    user = os.geteuid() if hasattr(os, "geteuid") else 0  # without user IDs, treat every user as root
    is_owner = user in (0, file.stat().st_uid)
    if any(file.with_name(file.name + suffix).exists() for suffix in ("-wal", "-shm", "-journal")):
        return "ro" if is_owner else "ro&readonly_shm=1"
    if is_owner and os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        return "rw"
    return "ro&immutable=1" if is_wal(file) else "ro"


def is_wal(file: Path) -> bool:
    """Return whether the header of a database says that it is in WAL mode.

    Read the header through an open descriptor if this process has one.
    """
    status = file.stat()
    # https://www.sqlite.org/fileformat.html#file_format_version_numbers
    start, versions = 18, b"\2\2"
    with suppress(OSError):  # the system may not list descriptors
        for name in os.listdir("/dev/fd"):  # noqa: PTH208 — numbers
            with suppress(OSError):  # the descriptor may be closed by now, or not open for reading
                if os.path.samestat(os.fstat(int(name)), status):
                    return os.pread(int(name), 2, start) == versions
    with file.open("rb") as content:
        content.seek(start)
        return content.read(2) == versions


def is_whole(path: Path) -> bool:
    """Return whether the file contains all data: its WAL and journal are missing or empty."""
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-journal")]
    return not any(file.exists() and file.stat().st_size for file in beside)
