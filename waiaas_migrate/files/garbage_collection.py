"""Pause Python's cyclic garbage collector while a large schema is read.

A schema is made of hundreds of thousands of small values, none of them garbage. The collector looks at all of them
again and again as they grow, which takes a third of the time (https://docs.python.org/3/library/gc.html).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collector for the duration of a call, unless it is off already; also a decorator."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
