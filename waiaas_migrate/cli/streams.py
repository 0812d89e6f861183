"""The process's stdout and stderr: whatever becomes of them, the work goes on, and no text gives a terminal orders."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import suppress
from typing import TextIO

#: Control characters but for tabs and line ends, what changes the direction of text or ends lines unseen, and the
#: halves of characters by which Python holds bytes that are not UTF-8.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STANDARD = 3


def safe(text: str) -> str:
    """Return ``text`` with everything that a terminal could take for an order written as an escape.

    Names and keys come from databases and files that others may have written.
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class SteadyFile(io.FileIO):
    """A file whose writes never fail; ``failure`` is the first error, and what is written after it is lost."""

    failure: OSError | None = None

    def write(self, data: object) -> int:
        """Write ``data``, or pretend to."""
        if self.failure is None:
            try:
                return super().write(data)  # type: ignore[arg-type]  # any buffer, whose type has no name before 3.12
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes  # type: ignore[arg-type]


class SteadyStreams:
    """Replaces this process's stdout and stderr by streams that never fail.

    A reader that has gone, a full disk, a stream that was closed or an encoding without some character would otherwise
    end a run that is half done.
    """

    def __init__(self) -> None:
        _open_standard_files()
        self._files: list[SteadyFile] = []
        if os.name != "nt":  # where a console is no file
            sys.stdout = self._steady(sys.stdout, 1)
            sys.stderr = self._steady(sys.stderr, 2)

    def failure(self) -> OSError | None:
        """Return why some of the output to stdout was lost, unless its reader wanted no more of it."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        found = self._files[0].failure if self._files else None
        return None if found is None or found.errno in (errno.EPIPE, errno.EBADF) else found

    def _steady(self, stream: TextIO | None, descriptor: int) -> TextIO:
        file = SteadyFile(descriptor, "w", closefd=False)
        self._files.append(file)
        return io.TextIOWrapper(
            io.BufferedWriter(file),
            encoding=getattr(stream, "encoding", None) or "utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )


def _open_standard_files() -> None:
    """Open those of the first three files that are closed, lest a database be opened as one and be printed into."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _STANDARD:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 — the only way to say it
    os.close(descriptor)
