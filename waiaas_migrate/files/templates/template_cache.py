"""Keep compiled templates between runs, as Python keeps compiled modules.

Jinja takes longer to compile the templates than to render a hundred tables with them. So the package's
templates are kept, compiled, in the user's cache folder (``XDG_CACHE_HOME`` or ``~/.cache``). They are code, so the
folder is used only if nobody else can write to it. Otherwise, templates are compiled each time.
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
    """Compiled templates in ``folder``, one file each, for a Jinja environment with ``options``."""

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        super().__init__(str(folder), "%s")
        self._made_by = repr((jinja2.__version__, sorted(options.items())))

    def get_source_checksum(self, source: str) -> str:
        """Return a hash of everything that affects the compiled template."""
        # Jinja compiles in the results of filters and tests on constants; the shipped templates use none of these.
        return hashlib.sha256(f"{self._made_by}\n{source}".encode()).hexdigest()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the file of ``bucket``; ignore failures."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def user_cache() -> Path | None:
    """Return the folder for compiled templates; None if it can't be created, or others can write to it."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "waiaas-migrate" / "templates"
        # Under sudo, HOME may still belong to another user: leave no files there that the user can't delete.
        if not base.is_absolute() or not _is_own(base if base.exists() else base.parent):
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder if _is_own(folder) and not _is_open_to_others(folder) else None
    except (OSError, RuntimeError):  # RuntimeError if there is no home folder
        return None


def _is_own(folder: Path) -> bool:
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()


def _is_open_to_others(folder: Path) -> bool:
    return hasattr(os, "geteuid") and bool(folder.stat().st_mode & 0o022)
