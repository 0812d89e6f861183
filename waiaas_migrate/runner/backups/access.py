"""Who may use a file: its owner, group, mode, POSIX access list and other extended attributes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path


def keep_access(old: Path, new: Path) -> tuple[str, ...]:
    """Give ``new`` the owner, group, mode, access list and extended attributes of ``old``.

    Returns:
        What could not be kept, for people. Access never becomes wider on the way.
    """
    status, own = old.stat(), new.stat()
    lost = []
    # Mode 0600 until the end: changing the owner first keeps others out.
    if status.st_uid != own.st_uid and not _is_done(lambda: os.chown(new, status.st_uid, -1)):
        lost.append(f"its owner (user {status.st_uid})")
    if status.st_gid != own.st_gid and not _is_done(lambda: os.chown(new, -1, status.st_gid)):
        lost.append(f"its group ({status.st_gid})")
    lost.extend(_keep_attributes(old, new))
    mode = stat.S_IMODE(status.st_mode) & 0o777
    if stat.S_IMODE(new.stat().st_mode) != mode and not _is_done(lambda: new.chmod(mode)):
        lost.append(f"its mode ({mode:04o})")
    return tuple(lost)


def _keep_attributes(old: Path, new: Path) -> Iterator[str]:
    """Copy the extended attributes, which access lists are too, and remove those that the folder gave ``new``."""
    wanted, found = _attributes(old), _attributes(new)
    for name in sorted(found.keys() - wanted.keys()):
        if not _is_done(lambda name=name: os.removexattr(new, name)):  # type: ignore[misc]
            yield f"being without {name}"
    for name, value in sorted(wanted.items()):
        if found.get(name) != value and not _is_done(lambda name=name, value=value: os.setxattr(new, name, value)):  # type: ignore[misc]
            yield f"its attribute {name}"


def _attributes(path: Path) -> dict[str, bytes]:
    """The extended attributes; none where the system or the file system has none."""
    found: dict[str, bytes] = {}
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(path):
                with suppress(OSError):
                    found[name] = os.getxattr(path, name)
    return found


def _is_done(change: Callable[[], object]) -> bool:
    try:
        change()
    except OSError:
        return False
    return True
