"""The ids of rows: UUIDs of version 7, in the order in which they were made.

An id holds the millisecond of its making, then 74 bits of which the rest is a counter
(https://www.rfc-editor.org/rfc/rfc9562#section-6.2, method 2): random at the first id of a millisecond, then raised
by a random step for each further one. What is promised:

- Within a process, across its threads, ids sort as strings in the order in which they were made.
- The time inside an id is never further than ``MAX_LEAD_MS`` from the clock at its making.
- Where the clock steps back by no more than that, the ids stay at the last time until the clock has caught up, and
  the order holds. Where it steps back further both promises cannot be kept: the ids follow the clock, and their
  order begins anew. They are unique all the same, for the counter is drawn again.
- A forked child goes on after its parent's ids and repeats none of them.

An id says when it was made and is no secret.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from array import array
from collections.abc import Callable
from typing import Final

from uuid6 import UUID

#: How far the time inside an id may run ahead of the clock, in milliseconds.
MAX_LEAD_MS: Final = 10

_NS_PER_MS: Final = 1_000_000
_COUNTER_BITS: Final = 74
#: A counter begins in the lower half of its range and grows by 2**32 at most, so that it is practically never used
#: up: that would take 2**41 ids within a millisecond. Were it used up it would carry into the time, which the limit
#: on the lead covers.
_START_BITS: Final = 73
_FORK_BITS: Final = 72
_STEP_POOL_BYTES: Final = 1024

#: The counter's last 62 bits stand behind the variant, the 12 before them between the version and the variant.
_LOW_BITS: Final = 62
_LOW_MASK: Final = (1 << _LOW_BITS) - 1
_HIGH_MASK: Final = (1 << (_COUNTER_BITS - _LOW_BITS)) - 1
_VERSION: Final = 7 << 76
_VARIANT: Final = 0b10 << 62


class IdGenerator:
    """A source of ids that is safe to use from any thread. ``clock`` gives nanoseconds since 1970."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        # Reentrant: a signal handler or a finaliser that wants an id must not wait for the very thread it interrupts.
        self._lock = threading.RLock()
        # The time and the counter of the last id, as one number.
        self._last = 0
        # Bought in bulk: asking the system for four random bytes takes as long as all the rest.
        self._steps = array("I")

    def __call__(self) -> str:
        """A new id."""
        with self._lock:
            if not self._steps:
                self._steps.frombytes(os.urandom(_STEP_POOL_BYTES))
            step = self._steps.pop() + 1
            now = self._clock() // _NS_PER_MS
            made = self._last + step
            if not 0 <= (made >> _COUNTER_BITS) - now <= MAX_LEAD_MS:
                made = now << _COUNTER_BITS | secrets.randbits(_START_BITS)
            self._last = made
        return str(
            UUID(
                int=made >> _COUNTER_BITS << 80
                | _VERSION
                | (made >> _LOW_BITS & _HIGH_MASK) << 64
                | _VARIANT
                | made & _LOW_MASK
            )
        )

    def continue_after_fork(self) -> None:
        """Leave the parent's ids behind: to be called in a forked child before its first id.

        The counter leaps ahead rather than starting over, so that the child's ids also sort after those made before
        the fork. The lock is replaced, as another thread of the parent may have held it.
        """
        self._lock = threading.RLock()
        self._steps = array("I")
        self._last += secrets.randbits(_FORK_BITS)


_generator: Final = IdGenerator()

if sys.platform != "win32":
    os.register_at_fork(after_in_child=_generator.continue_after_fork)


def generate_id() -> str:
    """A new id: a UUID of version 7 that sorts after every id this process made before."""
    return _generator()
