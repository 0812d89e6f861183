"""Keep compiled templates between runs, as Python keeps compiled modules.

Jinja takes longer to compile the templates than to render a hundred tables with them. So the compiled templates that
ship with the package are kept in the user's cache folder (``XDG_CACHE_HOME``, or ``~/.cache``). They are code, so the
folder is used only if nobody else may write there; otherwise templates are compiled each time.
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
        """Return a hash of everything that affects the compiled template."""
        # Jinja would compile in the result of a filter or test on a constant; the shipped templates have none.
        return hashlib.sha256(f"{self._made_by}\n{source}".encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill ``bucket`` if its file exists and is undamaged."""
        with contextlib.suppress(OSError):
            content = (self._folder / bucket.key).read_bytes()
            # The interpreter does not check bytecode, so a damaged file must be rejected here.
            if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST]:
                bucket.bytecode_from_string(content[_DIGEST:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the file of ``bucket`` if possible."""
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
    """Return the folder for compiled templates; None if it can't be created, or others can write to it."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "waiaas-migrate" / "templates"
        # Under sudo, HOME may still be another user's: leave nothing there that they could not delete.
        if not base.is_absolute() or not _is_own(base if base.exists() else base.parent):
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if _is_own(folder) and not _is_open_to_others(folder) else None
    except (OSError, RuntimeError):  # RuntimeError if there is no home
        return None


def _is_own(folder: Path) -> bool:
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()


def _is_open_to_others(folder: Path) -> bool:
    return hasattr(os, "geteuid") and bool(folder.stat().st_mode & 0o022)
