"""Read from a manifest which migrations a database at head has run."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import dataclass
from hashlib import sha256

from waiaas_migrate.files.migration_dir.manifest import MANIFEST, read_ids_and_pragmas
from waiaas_migrate.sqlite.database.pragmas import Pragma, wait_timeout

#: A file that was written this recently may be written again without a change of its time, which is not exact.
_SETTLED_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A manifest's ids, the hashes under which yoyo records them, and its PRAGMAs."""

    ids: tuple[str, ...]
    hashes: frozenset[str]
    pragmas: tuple[Pragma, ...]
    #: Seconds to wait for other connections.
    timeout: float


def read_head(folder: str) -> Head | None:
    """Return the head in ``folder``'s manifest, cached until the file changes.

    Raises:
        MigrationsError: the file is not what ``generate`` writes.
    """
    path = os.path.join(os.path.abspath(folder), MANIFEST)  # noqa: PTH100, PTH118 — called whenever a database is opened
    try:
        found = os.stat(path)  # noqa: PTH116 — likewise
    except OSError:
        return _read(path)
    if time.time_ns() - found.st_ctime_ns < _SETTLED_NS:
        return _read(path)
    return _read_once(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))


@functools.lru_cache(maxsize=64)
def _read_once(path: str, _state: tuple[int, ...]) -> Head | None:
    return _read(path)


def _read(path: str) -> Head | None:
    read = read_ids_and_pragmas(path)
    if read is None:
        return None
    ids, pragmas = read
    hashes = frozenset([sha256(name).hexdigest() for name in map(str.encode, ids)])  # as migration_hash does
    return Head(ids=ids, hashes=hashes, pragmas=pragmas, timeout=wait_timeout(pragmas))
