"""Lock files with flock(2), whose locks end with their process."""

from __future__ import annotations

import os

try:
    import fcntl
except ImportError:  # Windows has none: two processes don't exclude each other there
    fcntl = None  # type: ignore[assignment]

HAS_LOCKS = fcntl is not None


def lock_file(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file; return False if another has it locked, True if the system has no such locks."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # nor have some file systems
            return True
    return True


def unlock_file(descriptor: int) -> None:
    """Unlock an open file, for this process and those that inherited it."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_at(descriptor: int, path: str | os.PathLike[str]) -> bool:
    """Return whether the open file is still the one at ``path``: its last holder may have deleted it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
