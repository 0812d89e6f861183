"""Cache compiled templates on disk, as Python caches compiled modules.

Jinja takes longer to compile the shipped templates than to render a hundred tables with them. The cache is in the
user's cache folder (``XDG_CACHE_HOME`` or ``~/.cache``). Compiled templates are Python code, so the cache is used only
if no other user can write to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket


class TemplateCache(jinja2.FileSystemBytecodeCache):
    """A folder of compiled templates, for environments with these Jinja options."""

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        super().__init__(str(folder), "%s")
        self._compiler = repr((jinja2.__version__, sorted(options.items())))

    def get_source_checksum(self, source: str) -> str:
        """Return a hash of everything that affects the compiled template."""
        # Filters don't affect it: Jinja runs them at compile time only on constants, which no shipped template does.
        return hashlib.sha256(f"{self._compiler}\n{source}".encode()).hexdigest()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write a compiled template to its file, if possible: the cache is optional."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def user_cache_folder() -> Path | None:
    """Return the cache folder; None if it can't be created or isn't private."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "waiaas-migrate" / "templates"
        # Under sudo, HOME may belong to another user, who couldn't delete files of root.
        if not base.is_absolute() or not _is_owned(base if base.exists() else base.parent):
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if _is_owned(folder) and not _is_open_to_others(folder) else None
    except (OSError, RuntimeError):  # RuntimeError if there is no home folder
        return None


def _is_owned(folder: Path) -> bool:
    """Return whether the folder belongs to the current user; always true on Windows."""
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()


def _is_open_to_others(folder: Path) -> bool:
    return hasattr(os, "geteuid") and bool(folder.stat().st_mode & 0o022)
