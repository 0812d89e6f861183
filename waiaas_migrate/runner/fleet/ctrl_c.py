"""Ctrl-C that is heard everywhere, and heeded where it is safe: what it calls off can then be told in full."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def ctrl_c_calls(call_off: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C call ``call_off``, where Python would raise KeyboardInterrupt at any point whatever; once.

    A second Ctrl-C raises it. A handler of the application's own stays, and so does all in any thread but the main one,
    which alone may have handlers; this is what ``asyncio.Runner`` does.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    is_over = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if is_over.is_set():
            signal.default_int_handler(number, frame)
        call_off()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        is_over.set()
        if signal.getsignal(signal.SIGINT) is handle:
            with suppress(ValueError):  # it may be another thread in which this was let go of
                signal.signal(signal.SIGINT, signal.default_int_handler)
