"""Recognize and remove the leftovers of an interrupted command in a migrations folder.

A command that writes migrations first writes a journal: the names and hashes of the new and of the old files, and the
hashes of the current and the new manifest. Replacing the manifest is the commit point. As long as the manifest is the
old one, a new file is ignored, and the kept copy of a replaced file is read in its place. Once it is the new one, a
file that is due for deletion is ignored. So every reader sees the folder as before or as after the command, and
writes nothing. Only files with these hashes count: a file that a person wrote or edited is never taken for a leftover.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waiaas_migrate.files.durable import sync

JOURNAL = ".waiaas-unfinished.json"
#: The folder of the copies of replaced files.
KEPT = ".waiaas-kept"
_PREFIX, _SUFFIX = ".waiaas-", ".tmp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The files to ignore, and those to read a copy of instead, by name."""

    ignored: frozenset[str] = frozenset()
    copies: Mapping[str, Path] = field(default_factory=dict)


def temporary(path: Path) -> Path:
    """Return the name under which ``path`` is written before it gets its own."""
    return path.with_name(f"{_PREFIX}{path.name}{_SUFFIX}")


def journal_text(folder: Path, files: Mapping[str, str], removed: Collection[str], manifest: str) -> str:
    """Return the journal of a command that writes ``files`` (name to text) and deletes ``removed``.

    They count once the file ``manifest`` is replaced or, if ``files`` has none, once the journal is emptied.
    """
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    content = {
        "manifest": manifest,
        "replaces": _hash(folder / manifest),
        "becomes": hashes.pop(manifest, None),
        "files": hashes,
        "removed": {name: _hash(folder / name) for name in removed},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def unfinished(folder: Path) -> Unfinished:
    """Return which files in ``folder`` an interrupted or running command has not committed, or has yet to delete.

    An incomplete journal names no files: it is complete before the first file gets its name.
    """
    if not (folder / JOURNAL).is_file():  # reading a pipe of that name would never end
        return Unfinished()
    try:
        journal = json.loads((folder / JOURNAL).read_bytes())
        manifest = _hash(folder / Path(journal["manifest"]).name)
        new, old = _hashes(journal["files"]), _hashes(journal.get("removed", {}))
        if manifest == journal["replaces"]:
            return _uncommitted(folder, new, old)
        if manifest is not None and manifest == journal.get("becomes"):
            going = frozenset(name for name in old if name not in new and _hash(folder / name) == old[name])
            return Unfinished(ignored=going)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return Unfinished()


def _hashes(entries: Any) -> dict[str, str]:  # noqa: ANN401 — any JSON value
    return {Path(name).name: digest for name, digest in dict(entries).items() if digest is not None}


def _uncommitted(folder: Path, new: Mapping[str, str], old: Mapping[str, str]) -> Unfinished:
    found = [name for name in new if _hash(folder / name) == new[name] != old.get(name)]
    copies = {name: folder / KEPT / name for name in found if name in old and _hash(folder / KEPT / name) == old[name]}
    return Unfinished(ignored=frozenset(found) - copies.keys(), copies=copies)


def leftovers(folder: Path) -> list[Path]:
    """Return the journal, the copies and the temporary files in ``folder``, if there are any."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 — only the names are needed
    except OSError:  # missing, or not readable: reading the migrations reports it
        return []
    return [
        folder / name
        for name in names
        if name in (JOURNAL, KEPT) or (name.startswith(_PREFIX) and name.endswith(_SUFFIX))
    ]


def remove_unfinished(folder: Path) -> tuple[str, ...]:
    """Put replaced files back, delete all other leftovers but the journal, and return the deleted migrations' names.

    Only the process that holds the journal's lock may do this.

    Raises:
        OSError: something can't be deleted.
    """
    found = unfinished(folder)
    for name, copy in found.copies.items():
        copy.replace(folder / name)
    removed = sorted(found.ignored)
    for name in removed:
        (folder / name).unlink(missing_ok=True)
    if removed or found.copies:
        sync(folder)
    for path in leftovers(folder):
        if path.name == KEPT and path.is_dir():
            shutil.rmtree(path)
        elif path.name != JOURNAL:
            path.unlink(missing_ok=True)
    return tuple(removed)


def _hash(path: Path) -> str | None:
    """Return the hash of a file's content; None if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except FileNotFoundError:
        return None
