"""Handle Ctrl-C at a safe point, so that an interrupted fleet can still report every database."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def on_ctrl_c(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on the first Ctrl-C; raise KeyboardInterrupt on the second.

    Do nothing if the application has its own handler. Do nothing outside the main thread either: Python allows signal
    handlers only there. ``asyncio.Runner`` follows the same rules.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    is_over = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if is_over.is_set():
            signal.default_int_handler(number, frame)
        stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        is_over.set()
        if signal.getsignal(signal.SIGINT) is handle:
            with suppress(ValueError):  # another thread may have closed the generator
                signal.signal(signal.SIGINT, signal.default_int_handler)
