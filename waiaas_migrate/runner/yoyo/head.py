"""What a database at head has run, read once for as long as the manifest stays the same."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from hashlib import sha256

from waiaas_migrate.files.migration_dir.manifest import MANIFEST, read_ids_and_pragmas
from waiaas_migrate.sqlite.database.connection import wait_timeout
from waiaas_migrate.sqlite.database.pragmas import Pragma

#: A file that was written just now may be written again without looking any different: its time has grains.
_SETTLED_NS = 1_000_000_000

_MOST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a manifest records: the ids, the keys under which yoyo records them, the PRAGMAs, and what follows."""

    ids: tuple[str, ...]
    hashes: frozenset[str]
    pragmas: tuple[Pragma, ...]
    #: Seconds to wait for other connections.
    timeout: float


_known: dict[str, tuple[tuple[int, ...], Head]] = {}


def read_head(folder: str) -> Head | None:
    """The head that the manifest of ``folder`` records; None where there is no manifest.

    Raises:
        MigrationsError: the file is not what ``generate`` writes.
    """
    path = os.path.join(os.path.abspath(folder), MANIFEST)  # noqa: PTH100, PTH118 — on the way of every opening
    try:
        found = os.stat(path)  # noqa: PTH116 — likewise
    except OSError:
        found = None
    seen = () if found is None else (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    known = _known.get(path)
    if known is not None and known[0] == seen:
        return known[1]
    read = read_ids_and_pragmas(path)
    if read is None:
        return None
    ids, pragmas = read
    hashes = frozenset([sha256(name).hexdigest() for name in map(str.encode, ids)])  # as migration_hash does
    head = Head(ids=ids, hashes=hashes, pragmas=pragmas, timeout=wait_timeout(pragmas))
    if found is not None and time.time_ns() - found.st_ctime_ns > _SETTLED_NS:
        if len(_known) >= _MOST:
            _known.clear()
        _known[path] = (seen, head)
    return head


def forget_heads() -> None:
    """Have every manifest read anew."""
    _known.clear()
