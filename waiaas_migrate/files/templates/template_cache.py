"""Compiled templates, kept between runs as Python keeps compiled modules.

Jinja needs longer to compile the templates than to render a hundred tables with them. What it made of those that ship
with the package is therefore kept in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``). Code is read back
from there, so that it is only used where nobody else may write; where that is not so, or the folder cannot be made,
templates are compiled each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

_DIGEST = hashlib.sha256().digest_size


class TemplateCache(jinja2.BytecodeCache):
    """Compiled templates in ``folder``, one file each, for an environment that was made with ``options``."""

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        self._folder = folder
        self._made_by = repr((jinja2.__version__, sys.version, sorted(options.items())))

    def get_source_checksum(self, source: str) -> str:
        """What tells that a template is the same, and would be compiled to the same."""
        # What filters and tests make of a constant would be compiled in; the shipped templates ask that of none.
        return hashlib.sha256(f"{self._made_by}\n{source}".encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill ``bucket``, if its file is there and whole."""
        with contextlib.suppress(OSError):
            content = (self._folder / bucket.key).read_bytes()
            # A damaged file must not get as far as the interpreter, which believes what it is given.
            if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST]:
                bucket.bytecode_from_string(content[_DIGEST:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the file of ``bucket``, where that is possible."""
        code = bucket.bytecode_to_string()
        with contextlib.suppress(OSError):
            descriptor, written = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                Path(written).replace(self._folder / bucket.key)
            except OSError:
                Path(written).unlink(missing_ok=True)
                raise


def user_cache() -> Path | None:
    """The folder for compiled templates; None where it cannot be made, or others could write to it."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "waiaas-migrate" / "templates"
        # Under sudo, HOME may still be another user's: nothing is left there that they could not delete.
        if not base.is_absolute() or not _is_own(base if base.exists() else base.parent):
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if _is_own(folder) and not _is_open_to_others(folder) else None
    except (OSError, RuntimeError):  # the latter where there is no home
        return None


def _is_own(folder: Path) -> bool:
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()


def _is_open_to_others(folder: Path) -> bool:
    return hasattr(os, "geteuid") and bool(folder.stat().st_mode & 0o022)
