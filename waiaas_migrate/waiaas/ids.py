"""Generate ids for rows: UUIDs of version 7, which sort by the time when they were made.

An id consists of the current millisecond and a 74-bit counter
(https://www.rfc-editor.org/rfc/rfc9562#section-6.2, method 2). The counter starts at a random number for the first id
of a millisecond, and grows by a random step for each further id. The generator promises:

- Within a process, across its threads, ids sort as strings in the order in which they were made.
- The time inside an id is never behind the clock, and at most ``MAX_LEAD_MS`` ahead of it.
- If the clock steps back by no more than ``MAX_LEAD_MS``, ids keep the last time until the clock has caught up. If it
  steps back further, ids follow the clock and their order starts again. They stay unique, because the counter starts at
  a new random number.
- The ids of a forked child sort after the ids that its parent made before, and repeat none of the parent's.

An id reveals when it was made. It is not a secret.
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

#: The most that the time inside an id may be ahead of the clock, in milliseconds.
MAX_LEAD_MS: Final = 10

_NS_PER_MS: Final = 1_000_000
_COUNTER_BITS: Final = 74
#: A counter starts in the lower half of its range and grows by at most 2**32, so it would overflow only after 2**41
#: ids within a millisecond. An overflow would carry into the time, which MAX_LEAD_MS limits.
_START_BITS: Final = 73
_FORK_BITS: Final = 72
_STEP_POOL_BYTES: Final = 1024

#: The counter's last 62 bits are after the UUID's variant. Its first 12 are between the version and the variant.
_LOW_BITS: Final = 62
_LOW_MASK: Final = (1 << _LOW_BITS) - 1
_HIGH_MASK: Final = (1 << (_COUNTER_BITS - _LOW_BITS)) - 1


class IdGenerator:
    """A generator of ids, for all threads of a process. ``clock`` returns nanoseconds since 1970."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        # Reentrant: a signal handler or a finalizer that makes an id must not wait for the thread it interrupts.
        self._lock = threading.RLock()
        # The time and the counter of the last id, as one number.
        self._last = 0
        # Random steps are fetched in bulk: asking the system for one takes as long as the rest of making an id.
        self._steps = array("I")

    def __call__(self) -> str:
        """Return a new id."""
        with self._lock:
            if not self._steps:
                self._steps.frombytes(os.urandom(_STEP_POOL_BYTES))
            step = self._steps.pop() + 1
            now = self._clock() // _NS_PER_MS
            number = self._last + step
            if not 0 <= (number >> _COUNTER_BITS) - now <= MAX_LEAD_MS:
                number = now << _COUNTER_BITS | secrets.randbits(_START_BITS)
            self._last = number
        time_bits, high, low = number >> _COUNTER_BITS, number >> _LOW_BITS & _HIGH_MASK, number & _LOW_MASK
        return str(UUID(int=time_bits << 80 | high << 64 | low, version=7))

    def continue_after_fork(self) -> None:
        """Let a forked child continue with ids of its own; call this before its first id.

        The counter jumps ahead, so that the child's ids sort after the ids made before the fork. The lock is replaced,
        because a thread of the parent may have held it at the fork.
        """
        self._lock = threading.RLock()
        self._steps = array("I")
        self._last += secrets.randbits(_FORK_BITS)


_generator: Final = IdGenerator()

if sys.platform != "win32":
    os.register_at_fork(after_in_child=_generator.continue_after_fork)


def generate_id() -> str:
    """Return a new id: a UUID of version 7 that sorts after this process's earlier ids, unless the clock steps back."""
    return _generator()
