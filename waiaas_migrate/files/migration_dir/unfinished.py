"""Recognize and remove the leftovers of an interrupted ``generate`` in a migrations folder.

``generate`` first writes a journal: the name and hash of each new migration file, and the hash of the current manifest.
Replacing the manifest is the commit point. As long as the manifest is the old one, a file that the journal names is
ignored if its hash matches. So every reader sees the folder as it was before or as it is after, without writing to it,
and never takes a file that a person wrote or edited for a leftover.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from waiaas_migrate.files.durable import sync

JOURNAL = ".waiaas-unfinished.json"
_PREFIX, _SUFFIX = ".waiaas-", ".tmp"


def temporary(path: Path) -> Path:
    """Return the name under which ``path`` is written before it gets its own."""
    return path.with_name(f"{_PREFIX}{path.name}{_SUFFIX}")


def journal_text(files: Mapping[str, str], manifest: Path) -> str:
    """Return the journal for ``files`` (name to text), which count once ``manifest`` is replaced."""
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    content = {"manifest": manifest.name, "replaces": _hash(manifest), "files": hashes}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def unfinished_files(folder: Path) -> frozenset[str]:
    """Return the names of the files in ``folder`` that an interrupted or running ``generate`` has not committed.

    An incomplete journal names no files: it is complete before the first file gets its name.
    """
    if not (folder / JOURNAL).is_file():  # reading a pipe of that name would never end
        return frozenset()
    try:
        journal = json.loads((folder / JOURNAL).read_bytes())
        if _hash(folder / Path(journal["manifest"]).name) != journal["replaces"]:
            return frozenset()
        paths = {folder / Path(name).name: digest for name, digest in dict(journal["files"]).items()}
        return frozenset(path.name for path, digest in paths.items() if digest is not None and _hash(path) == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def leftovers(folder: Path) -> list[Path]:
    """Return the journal and the temporary files in ``folder``, if there are any."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 — only the names are needed
    except OSError:  # missing, or not readable: reading the migrations reports it
        return []
    return [folder / name for name in names if name == JOURNAL or (name.startswith(_PREFIX) and name.endswith(_SUFFIX))]


def remove_unfinished(folder: Path) -> tuple[str, ...]:
    """Delete uncommitted files and temporary files; return the names of the uncommitted ones. The journal stays.

    Only the process that holds the journal's lock may do this.

    Raises:
        OSError: something can't be deleted.
    """
    removed = sorted(unfinished_files(folder))
    for path in (*(folder / name for name in removed), *leftovers(folder)):
        if path.name != JOURNAL:
            path.unlink(missing_ok=True)
    if removed:
        sync(folder)
    return tuple(removed)


def _hash(path: Path) -> str | None:
    """Return the hash of a file's content; None if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except FileNotFoundError:
        return None
