"""Make output streams that never fail, and escape text for terminals."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import suppress
from typing import TextIO

#: Control characters except tabs and line ends, characters that change the direction of text or end lines, and the
#: surrogates with which Python represents bytes that are not UTF-8.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_STANDARD = 3


def safe(text: str) -> str:
    """Escape everything in ``text`` that a terminal could take for a command.

    Others may have written the names and keys in databases and files.
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class SteadyFile(io.FileIO):
    """A file whose writes never fail; after the first error, which is ``failure``, all output is lost."""

    failure: OSError | None = None

    def write(self, data: object) -> int:
        """Write ``data``, or pretend to, and return its length."""
        if self.failure is None:
            try:
                return super().write(data)  # type: ignore[arg-type]  # any buffer, whose type has no name before 3.12
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes  # type: ignore[arg-type]


class SteadyStreams:
    """Replacements for this process's stdout and stderr that never fail.

    Otherwise a closed pipe, a full disk, or an encoding that lacks a character could end a run halfway.
    """

    def __init__(self) -> None:
        _open_standard_files()
        self._stdout, stderr = (SteadyFile(descriptor, "w", closefd=False) for descriptor in (1, 2))
        if os.name != "nt":  # a console of Windows is not a file
            sys.stdout, sys.stderr = _steady(sys.stdout, self._stdout), _steady(sys.stderr, stderr)

    def failure(self) -> OSError | None:
        """Return the error that lost some of the output to stdout, unless its reader closed the pipe."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        found = self._stdout.failure
        return None if found is None or found.errno in (errno.EPIPE, errno.EBADF) else found


def _steady(stream: TextIO | None, file: SteadyFile) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _open_standard_files() -> None:
    """Open closed standard streams, so that no output goes into a database file."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _STANDARD:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 — the only way to say it
    os.close(descriptor)
