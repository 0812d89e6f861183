"""Run as a user to whom file permissions apply, unlike root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_NOBODY = 65534
IS_ROOT = os.name == "posix" and os.geteuid() == 0


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run the ``with`` block as a user to whom permissions apply: if this is root, as nobody."""
    if not IS_ROOT:
        yield
        return
    os.setresgid(_NOBODY, _NOBODY, 0)
    os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
