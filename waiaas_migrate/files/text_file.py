"""Reading a text file whole, or saying why not."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.report import Origin

#: No schema.yaml or pyproject.toml comes near this; whatever does is another file.
LARGEST_FILE = 16 * 1024 * 1024

#: What YAML 1.2 allows in a file (https://yaml.org/spec/1.2.2/#51-character-set), less what no editor writes.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def read_text(path: Path, name: str, *, missing: str) -> str | Problem:
    """The text of the UTF-8 file at ``path``, without a byte order mark, or what is wrong with it.

    ``name`` is the file as messages call it; ``missing`` says what to do where it does not exist.
    """
    origin = Origin(file=name)
    try:
        data = _read_bytes(path)
    except FileNotFoundError:
        return origin.problem("there is no such file.", missing)
    except IsADirectoryError:
        return origin.problem("this is a directory, not a file.", "Name a file.")
    except PermissionError:
        return origin.problem("the file may not be read.", "Give yourself the permission to read it.")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return origin.problem(f"the file cannot be read: {reason}.", "Name another file.")
    if len(data) > LARGEST_FILE:
        return origin.problem(
            f"the file is larger than {LARGEST_FILE // 1024 // 1024} MiB.", "Check that it is the file you mean."
        )
    return decode(data, name)


def _read_bytes(path: Path) -> bytes:
    mode = path.stat().st_mode
    # A pipe or a device would block, or never end.
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        return file.read(LARGEST_FILE + 1)


def decode(data: bytes, name: str) -> str | Problem:
    """``data`` as text, without a byte order mark, or the first thing in it that is no text."""
    origin = Origin(file=name)
    if data.startswith(_UTF16_OR_32):
        return origin.problem("the file is UTF-16 or UTF-32, not UTF-8.", "Save it as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The decoder may count from behind the byte order mark; `error.object` is what it counts in.
        before = error.object[: error.start].decode("utf-8", "replace")
        byte = error.object[error.start]
        return _at(name, before).problem(f"the byte 0x{byte:02X} here is not UTF-8.", "Save the file as UTF-8.")
    if found := _FORBIDDEN.search(text):
        code = ord(found.group())
        return _at(name, text[: found.start()]).problem(
            f"the character U+{code:04X} here is no text.", "Take it out; it may not show in an editor."
        )
    return text


def _at(name: str, before: str) -> Origin:
    lines = re.split("\r\n|\r|\n", before)
    return Origin(file=name, line=len(lines), column=len(lines[-1]) + 1)
