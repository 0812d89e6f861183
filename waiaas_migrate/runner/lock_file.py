"""A lock on a file beside the database, ``NAME-migrating``, which says that migrations run there.

It is a flock(2) lock, so it ends with its process. It isn't on the database itself, since closing a descriptor of that
drops SQLite's own locks (https://www.sqlite.org/howtocorrupt.html, "Posix advisory locks canceled by a separate thread
doing close()"). Only users who may write the database can open the file, and so nobody else can keep a run waiting. The
file is deleted when the lock is released; one that a killed process left is used again.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress

try:
    import fcntl
except ImportError:  # Windows has none; two processes may then run the same migration at once
    fcntl = None  # type: ignore[assignment]

ENDING = "-migrating"

_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

#: What this process holds: the file and the thread, by descriptor.
_held: dict[int, tuple[str, int]] = {}


class LockFile:
    """The lock of one database; ``database`` is its path with links followed, or empty if it is in memory."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._path = database + ENDING
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Lock it, unless another process or thread has; also true if there can be no such lock here."""
        if not self._database or fcntl is None:
            return True
        with suppress(OSError):  # this user may not make or open the file
            while True:
                descriptor = self._opened()
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    os.close(descriptor)
                    return True
                is_locked = _is_locked(descriptor, fcntl.LOCK_EX)
                if is_locked and _is_at(descriptor, self._path):
                    self._descriptor = descriptor
                    _held[descriptor] = self._path, threading.get_ident()
                    return True
                os.close(descriptor)
                if not is_locked:
                    return False
        return True

    def release(self) -> None:
        """Delete the file and unlock it: a forked child may still have it open."""
        descriptor = self._descriptor
        if descriptor not in _held:
            return
        del _held[descriptor]
        with suppress(OSError):
            if _is_at(descriptor, self._path):
                os.unlink(self._path)  # noqa: PTH108 — a fleet does it once for each database
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)

    def is_taken_elsewhere(self) -> bool:
        """Whether another process or thread holds it: this thread would wait for itself."""
        is_own = (self._path, threading.get_ident()) in _held.values()
        if is_own or not self._database or fcntl is None:
            return False
        try:
            descriptor = os.open(self._path, _FLAGS)
        except OSError:
            return False
        try:
            return not _is_locked(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def _opened(self) -> int:
        """The file, made if it is missing, for those who may write the database."""
        while True:
            try:
                descriptor = os.open(self._path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                with suppress(FileNotFoundError):  # it was deleted just now
                    return os.open(self._path, _FLAGS)
            else:
                with suppress(OSError):
                    self._share(descriptor)
                return descriptor

    def _share(self, descriptor: int) -> None:
        """Give a new file the owner and group of the database, and let those open it who may write that."""
        database, own = os.stat(self._database), os.fstat(descriptor)  # noqa: PTH116 — as above
        if (database.st_uid, database.st_gid) != (own.st_uid, own.st_gid):
            with suppress(OSError):
                os.fchown(descriptor, database.st_uid if os.geteuid() == 0 else -1, database.st_gid)
        writers = database.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
        if os.fstat(descriptor).st_gid != database.st_gid:
            writers &= ~stat.S_IWGRP
        os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR | writers | writers << 1)


def _is_locked(descriptor: int, kind: int) -> bool:
    """Lock an open file, unless another has; also true if the file system has no such locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_at(descriptor: int, path: str) -> bool:
    """Whether the open file is still the one at ``path``: whoever held it before may have deleted it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _forget() -> None:
    """Close, in a forked child, what its parent holds."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
