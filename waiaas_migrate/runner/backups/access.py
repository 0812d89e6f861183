"""Copy a file's owner, group, mode, POSIX access list and other attributes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path


def keep_access(old: Path, new: Path) -> tuple[str, ...]:
    """Give ``new`` the owner, group, mode, access list and extended attributes of ``old``.

    ``new`` has mode 0600 until the end, so nobody gains access on the way.

    Returns:
        A sentence for each thing that the system refused.
    """
    refused = [sentence for sentence, change in _changes(old, new) if not _is_done(change)]
    mode = stat.S_IMODE(old.stat().st_mode) & 0o777
    if stat.S_IMODE(new.stat().st_mode) != mode and not _is_done(partial(new.chmod, mode)):
        refused.append(f"The restored file could not be given the mode of the old one ({mode:04o}).")
    return tuple(refused)


def _changes(old: Path, new: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each change but the mode, with the notice if it is refused; owner first."""
    status, own = old.stat(), new.stat()
    if status.st_uid != own.st_uid:
        sentence = f"The restored file could not be given the owner of the old one (user {status.st_uid})."
        yield sentence, partial(os.chown, new, status.st_uid, -1)
    if status.st_gid != own.st_gid:
        sentence = f"The restored file could not be given the group of the old one ({status.st_gid})."
        yield sentence, partial(os.chown, new, -1, status.st_gid)
    wanted, found = _attributes(old), _attributes(new)
    for name in sorted(found.keys() - wanted.keys()):  # inherited from the folder
        yield (
            f"The restored file keeps the attribute {name}, which the old one lacks.",
            partial(os.removexattr, new, name),
        )
    for name, value in sorted(wanted.items()):
        if found.get(name) != value:
            sentence = f"The restored file could not be given the attribute {name} of the old one."
            yield sentence, partial(os.setxattr, new, name, value)


def _attributes(path: Path) -> dict[str, bytes]:
    """Return the extended attributes, POSIX access lists among them; none if the system or file system has none."""
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
