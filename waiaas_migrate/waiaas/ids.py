"""Generate the ids of rows: UUIDs of version 7, in the order in which they are made.

An id holds the millisecond of its making, then a 74-bit counter
(https://www.rfc-editor.org/rfc/rfc9562#section-6.2, method 2): random for the first id of a millisecond, then increased
by a random step for each further one. It promises:

- Within a process, across its threads, ids sort as strings in the order in which they were made.
- The time inside an id is never behind the clock, and at most ``MAX_LEAD_MS`` ahead of it.
- If the clock steps back by no more than that, the ids keep the last time until the clock has caught up. If it steps
  back further, the ids follow the clock and their order starts again. They stay unique, because the counter is new.
- A forked child's ids follow its parent's and repeat none of them.

An id shows when it was made and is not a secret.
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

#: The counter's last 62 bits come after the variant, the 12 before them between the version and the variant.
_LOW_BITS: Final = 62
_LOW_MASK: Final = (1 << _LOW_BITS) - 1
_HIGH_MASK: Final = (1 << (_COUNTER_BITS - _LOW_BITS)) - 1


class IdGenerator:
    """Make ids, from any thread. ``clock`` returns nanoseconds since 1970."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        # Reentrant: a signal handler or a finalizer that makes an id must not wait for the thread it interrupts.
        self._lock = threading.RLock()
        # The time and the counter of the last id, as one number.
        self._last = 0
        # Fetched in bulk: asking the system for four random bytes takes as long as everything else.
        self._steps = array("I")

    def __call__(self) -> str:
        """Return a new id."""
        with self._lock:
            if not self._steps:
                self._steps.frombytes(os.urandom(_STEP_POOL_BYTES))
            step = self._steps.pop() + 1
            now = self._clock() // _NS_PER_MS
            made = self._last + step
            if not 0 <= (made >> _COUNTER_BITS) - now <= MAX_LEAD_MS:
                made = now << _COUNTER_BITS | secrets.randbits(_START_BITS)
            self._last = made
        time_bits, high, low = made >> _COUNTER_BITS, made >> _LOW_BITS & _HIGH_MASK, made & _LOW_MASK
        return str(UUID(int=time_bits << 80 | high << 64 | low, version=7))

    def continue_after_fork(self) -> None:
        """Move away from the parent's ids; call it in a forked child before its first id.

        The counter jumps ahead, so that the child's ids also sort after those made before the fork. The lock is
        replaced, because another thread of the parent may hold it.
        """
        self._lock = threading.RLock()
        self._steps = array("I")
        self._last += secrets.randbits(_FORK_BITS)


_generator: Final = IdGenerator()

if sys.platform != "win32":
    os.register_at_fork(after_in_child=_generator.continue_after_fork)


def generate_id() -> str:
    """Return a new id: a UUID of version 7 that sorts after every id this process made before."""
    return _generator()
