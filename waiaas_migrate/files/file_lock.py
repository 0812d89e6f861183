"""Lock files with flock(2). The system unlocks them when the process ends."""

from __future__ import annotations

import os

try:
    import fcntl
except ImportError:  # missing on Windows, where files are not locked
    fcntl = None  # type: ignore[assignment]

HAS_LOCKS = fcntl is not None


def lock_file(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file; return False if it is already locked. Without flock, return True."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some file systems don't support flock
            return True
    return True


def unlock_file(descriptor: int) -> None:
    """Unlock an open file, for this process and its children that inherited the file."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_same_file(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Return whether the open file is still at ``path`` and has not been deleted."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
