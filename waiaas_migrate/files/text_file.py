"""Read or write a whole text file."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.durable import write_durably
from waiaas_migrate.files.problem_report import Origin

#: The most bytes to read from a file. No schema.yaml or pyproject.toml is nearly as large.
LARGEST_FILE = 16 * 1024 * 1024

#: Control characters and others that YAML 1.2 refuses (https://yaml.org/spec/1.2.2/#51-character-set).
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
#: Byte order marks.
_UTF16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def display_name(path: Path, root: Path) -> str:
    """Return ``path`` for messages: relative to ``root`` if it is in that folder."""
    full, base = path.absolute(), root.absolute()
    return str(full.relative_to(base)) if full.is_relative_to(base) else str(path)


def read_text(path: Path, name: str, *, missing: str) -> str | Problem:
    """Return the text of a UTF-8 file without its byte order mark, or a problem.

    Messages call the file ``name``. If the file doesn't exist, ``missing`` is the fix that the problem suggests.
    """
    origin = Origin(file=name)
    try:
        data = _read_bytes(path)
    except FileNotFoundError:
        return origin.problem("no such file.", missing)
    except IsADirectoryError:
        return origin.problem("this is a directory, not a file.", "Name a file.")
    except PermissionError:
        return origin.problem("you don't have permission to read the file.", "Change its permissions.")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return origin.problem(f"the file can't be read: {reason}.", "Name another file.")
    if len(data) > LARGEST_FILE:
        what = f"the file is larger than {LARGEST_FILE // 1024 // 1024} MiB."
        return origin.problem(what, "Check that it is the file you mean.")
    return decode(data, name)


def _read_bytes(path: Path) -> bytes:
    mode = path.stat().st_mode
    # Reading a pipe or a device may block, or never end.
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError("it is not a regular file")
    with path.open("rb") as file:
        return file.read(LARGEST_FILE + 1)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8. A regular file is replaced as a whole, or not at all.

    Symbolic links are followed, and the file keeps its mode and owner. Devices, pipes and everything in ``/dev`` and
    ``/proc`` are written to directly.

    Raises:
        OSError: the file can't be written. A regular file stays unchanged.
    """
    data = text.encode()
    is_special = path.absolute().is_relative_to("/dev") or path.absolute().is_relative_to("/proc")
    if is_special or (path.exists() and not path.is_file()):
        with open(os.open(path, os.O_WRONLY), "wb") as file:  # noqa: PTH123 — a device must not be created
            file.write(data)
        return
    target = Path(os.path.realpath(path))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError("the file is read-only")
    temporary = target.with_name(f".waiaas-{secrets.token_hex(4)}.new")
    try:
        write_durably(temporary, data)
        if target.exists():
            wanted, current = target.stat(), temporary.stat()
            if os.name == "posix" and (wanted.st_uid, wanted.st_gid) != (current.st_uid, current.st_gid):
                os.chown(temporary, wanted.st_uid, wanted.st_gid)
            temporary.chmod(stat.S_IMODE(wanted.st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def decode(data: bytes, name: str) -> str | Problem:
    """Decode UTF-8 and drop a byte order mark, or return the first problem."""
    if data.startswith(_UTF16_OR_32):
        return Origin(file=name).problem("the file is UTF-16 or UTF-32, not UTF-8.", "Save it as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The decoder may skip the byte order mark, so positions count from the start of `error.object`.
        before = error.object[: error.start].decode("utf-8", "replace")
        what = f"the byte 0x{error.object[error.start]:02X} here is not UTF-8."
        return _place_after(before, name).problem(what, "Save the file as UTF-8.")
    if found := _FORBIDDEN.search(text):
        what = f"the character U+{ord(found.group()):04X} here is not text."
        return _place_after(text[: found.start()], name).problem(what, "Remove it; it may not show in an editor.")
    return text


def _place_after(text: str, name: str) -> Origin:
    """Return the place after ``text``, which is the beginning of a file."""
    lines = re.split("\r\n|\r|\n", text)
    return Origin(file=name, line=len(lines), column=len(lines[-1]) + 1)
