"""Recognize a database without pending migrations by its records and the manifest; don't read the migrations."""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from dataclasses import dataclass
from hashlib import sha256

from waiaas_migrate.files.migration_dir.manifest import MANIFEST, read_summary
from waiaas_migrate.runner.yoyo.applied import read_head_records
from waiaas_migrate.sqlite.database.pragmas import Pragma, wait_timeout

#: If a file was written this recently, another write may leave its time unchanged, since file times are not exact.
_SETTLED_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The records of a database without pending migrations, and its PRAGMAs.

    Args:
        hashes: the hashes under which yoyo records the migrations.
        last: the hash under which yoyo records the last migration.
        link: the manifest's hash of the last migration, which covers all of them.
        fingerprint: the fingerprint of the catalog.
        pragmas: the PRAGMAs to set on every connection.
    """

    hashes: frozenset[str]
    last: str
    link: str | None
    fingerprint: str | None
    pragmas: tuple[Pragma, ...]
    #: Seconds to wait for other connections.
    timeout: float


def read_head(folder: str) -> Head | None:
    """Return the head in ``folder``'s manifest, cached until the file changes.

    Raises:
        MigrationsError: the file is not a manifest that ``generate`` wrote.
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
    found = read_summary(path)
    if found is None:
        return None
    hashes = [sha256(name).hexdigest() for name in map(str.encode, found.ids)]  # as migration_hash does
    return Head(
        hashes=frozenset(hashes),
        last=hashes[-1] if hashes else "",
        link=found.last_hash,
        fingerprint=found.fingerprint,
        pragmas=found.pragmas,
        timeout=wait_timeout(found.pragmas),
    )


def is_at_head(connection: sqlite3.Connection, head: Head) -> bool:
    """Return whether the database has certainly run the migrations of ``head``, and no others.

    If only yoyo recorded the last migration, the catalog must be the one that the migrations build.
    """
    hashes, link = read_head_records(connection, head.last)
    if hashes != head.hashes:
        return False
    if link is not None:
        return link == head.link
    from waiaas_migrate.sqlite.database.catalog import read_facts

    return read_facts(connection).fingerprint == head.fingerprint
