"""Recognize and remove the files that an interrupted command left in a migrations folder.

A command that writes migrations first writes a journal: the names and hashes of the files to add and to delete, and the
hashes of the current and the new manifest. Replacing the manifest is the commit point. While the old manifest is in
place, readers ignore new files, and read the copies of replaced files. Once the new manifest is in place, readers
ignore the files to delete. So every reader sees the folder as it was before or after the command, without writing to
it. A migration is only deleted if it has the recorded hash; files that a person wrote or edited are kept.
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
#: The folder for copies of replaced files.
COPIES = ".waiaas-kept"
_PREFIX, _SUFFIX = ".waiaas-", ".tmp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The names of the files that readers must ignore, and the copies that they must read instead of other files."""

    ignored: frozenset[str] = frozenset()
    copies: Mapping[str, Path] = field(default_factory=dict)


def temporary_path(path: Path) -> Path:
    """Return the path of the temporary file that will be renamed to ``path``."""
    return path.with_name(f"{_PREFIX}{path.name}{_SUFFIX}")


def journal_text(folder: Path, files: Mapping[str, str], removed: Collection[str], manifest: str) -> str:
    """Return the journal of a command that writes ``files`` (name to text) and deletes ``removed``.

    The changes take effect when ``manifest`` is replaced or, if it isn't in ``files``, when the journal is emptied.
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
    """Return the files in ``folder`` that a running or interrupted command hasn't committed or deleted yet.

    An incomplete journal means that no file was added yet, and an empty one that all changes are committed.
    """
    if not (folder / JOURNAL).is_file():  # reading a pipe with that name would block forever
        return Unfinished()
    try:
        journal = json.loads((folder / JOURNAL).read_bytes())
        manifest = _hash(folder / Path(journal["manifest"]).name)
        new, old = _hashes(journal["files"]), _hashes(journal.get("removed", {}))
        if manifest == journal["replaces"]:
            return _uncommitted(folder, new, old)
        if manifest is not None and manifest == journal.get("becomes"):
            to_delete = frozenset(name for name in old if name not in new and _hash(folder / name) == old[name])
            return Unfinished(ignored=to_delete)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return Unfinished()


def _hashes(entries: Any) -> dict[str, str]:  # noqa: ANN401 — any JSON value
    return {Path(name).name: digest for name, digest in dict(entries).items() if digest is not None}


def _uncommitted(folder: Path, new: Mapping[str, str], old: Mapping[str, str]) -> Unfinished:
    """Return the files to ignore, and the copies to read, as long as the old manifest is in place."""
    added = [name for name in new if _hash(folder / name) == new[name] != old.get(name)]
    copies = {
        name: folder / COPIES / name for name in added if name in old and _hash(folder / COPIES / name) == old[name]
    }
    return Unfinished(ignored=frozenset(added) - copies.keys(), copies=copies)


def leftovers(folder: Path) -> list[Path]:
    """Return the journal, the copies and the temporary files in ``folder``, if there are any."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 — only the names are needed
    except OSError:  # missing or unreadable; reading the migrations reports that
        return []
    return [
        folder / name
        for name in names
        if name in (JOURNAL, COPIES) or (name.startswith(_PREFIX) and name.endswith(_SUFFIX))
    ]


def remove_unfinished(folder: Path) -> tuple[str, ...]:
    """Restore replaced files and delete all leftovers but the journal; return the names of deleted migrations.

    Only the process that holds the journal's lock may do this.

    Raises:
        OSError: something can't be deleted.
    """
    pending = unfinished(folder)
    for name, copy in pending.copies.items():
        copy.replace(folder / name)
    removed = sorted(pending.ignored)
    for name in removed:
        (folder / name).unlink(missing_ok=True)
    if removed or pending.copies:
        sync(folder)
    for path in leftovers(folder):
        if path.name == COPIES and path.is_dir():
            shutil.rmtree(path)
        elif path.name != JOURNAL:
            path.unlink(missing_ok=True)
    return tuple(removed)


def _hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except FileNotFoundError:
        return None
