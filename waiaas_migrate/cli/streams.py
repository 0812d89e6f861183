"""Replace stdout and stderr with streams that never fail, and escape text for terminals."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import suppress
from typing import TextIO

#: Control characters except tabs and newlines, Unicode's characters that end lines or change the direction of text, and
#: the surrogates by which Python represents bytes that are not UTF-8.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: The file descriptors below this number are stdin, stdout and stderr.
_FIRST_OTHER_DESCRIPTOR = 3


def safe(text: str) -> str:
    """Return ``text`` with an escape for each character that could control a terminal.

    Names and keys in databases and files may come from people who want to deceive the user.
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class SteadyFile(io.FileIO):
    """A file whose writes never fail: after the first error, output is discarded."""

    failure: OSError | None = None

    def write(self, data: object) -> int:
        """Write ``data``, or discard it after an error; return its length."""
        if self.failure is None:
            try:
                return super().write(data)  # type: ignore[arg-type]  # any buffer, whose type has no name before 3.12
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes  # type: ignore[arg-type]


class SteadyStreams:
    """Replacements for this process's stdout and stderr that never fail.

    Otherwise a closed pipe, a full disk, or a character that the encoding lacks could end a run halfway.
    """

    def __init__(self) -> None:
        _open_standard_files()
        self._stdout, stderr = (SteadyFile(descriptor, "w", closefd=False) for descriptor in (1, 2))
        if os.name != "nt":  # a Windows console is not a file
            sys.stdout, sys.stderr = _steady(sys.stdout, self._stdout), _steady(sys.stderr, stderr)

    def failure(self) -> OSError | None:
        """Return the error that stopped the output to stdout, if any.

        A closed pipe or stdout is not an error, because nobody wants more output.
        """
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        failure = self._stdout.failure
        return None if failure is None or failure.errno in (errno.EPIPE, errno.EBADF) else failure


def _steady(stream: TextIO | None, file: SteadyFile) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _open_standard_files() -> None:
    """Open the standard streams that are closed.

    Otherwise the next file that is opened, such as a database, would get the descriptor and the output of stdout.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _FIRST_OTHER_DESCRIPTOR:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 — takes no keywords
    os.close(descriptor)
