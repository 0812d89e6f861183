"""Copy a file's owner, group, mode, POSIX access list and other attributes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

_REFUSED = "The restored file could not be given the {} of the old one{}."


def keep_access(old: Path, new: Path) -> tuple[str, ...]:
    """Give ``new`` the owner, group, access list, attributes and mode of ``old``; return a notice for each refusal.

    ``new`` has mode 0600 until the end, so nobody gains access on the way.
    """
    refused = []
    for notice, change in _changes(old, new):
        try:
            change()
        except OSError:
            refused.append(notice)
    return tuple(refused)


def _changes(old: Path, new: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the notice if a change is refused, and the change; owner first, mode last."""
    status, own = old.stat(), new.stat()
    if status.st_uid != own.st_uid:
        yield _REFUSED.format("owner", f" (user {status.st_uid})"), partial(os.chown, new, status.st_uid, -1)
    if status.st_gid != own.st_gid:
        yield _REFUSED.format("group", f" ({status.st_gid})"), partial(os.chown, new, -1, status.st_gid)
    wanted, found = _attributes(old), _attributes(new)
    for name in sorted(found.keys() - wanted.keys()):  # inherited from the folder
        notice = f"The restored file keeps the attribute {name}, which the old one lacks."
        yield notice, partial(os.removexattr, new, name)
    for name, value in sorted(wanted.items()):
        if found.get(name) != value:
            yield _REFUSED.format(f"attribute {name}", ""), partial(os.setxattr, new, name, value)
    mode = stat.S_IMODE(status.st_mode) & 0o777
    if stat.S_IMODE(new.stat().st_mode) != mode:
        yield _REFUSED.format("mode", f" ({mode:04o})"), partial(new.chmod, mode)


def _attributes(path: Path) -> dict[str, bytes]:
    """Return the extended attributes, POSIX access lists among them; none if the system or file system has none."""
    found: dict[str, bytes] = {}
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(path):
                with suppress(OSError):
                    found[name] = os.getxattr(path, name)
    return found
