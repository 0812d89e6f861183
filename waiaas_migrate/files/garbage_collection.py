"""Pause Python's garbage collector while a command reads a large schema.

A large schema becomes hundreds of thousands of small objects, none of them garbage. The collector would scan them again
and again while their number grows, which takes a third of the reading time (https://docs.python.org/3/library/gc.html).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the garbage collector in a ``with`` block or a decorated function."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
