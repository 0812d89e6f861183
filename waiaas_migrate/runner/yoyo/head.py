"""Recognize a database without pending migrations by its records and manifest.json.

This is fast, because no other file of the migrations folder is read.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from dataclasses import dataclass

from waiaas_migrate.files.migration_dir.manifest import MANIFEST, read_summary
from waiaas_migrate.files.migration_dir.migration_files import migration_hash
from waiaas_migrate.runner.yoyo.applied import read_head_records
from waiaas_migrate.sqlite.database.pragmas import Pragma, wait_timeout

#: Nanoseconds within which two writes may give a file the same time, since file times are not exact.
_SETTLED_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The facts in a manifest that identify a database without pending migrations.

    Args:
        hashes: the hashes under which yoyo records the migrations.
        last: the hash under which yoyo records the last migration; empty without migrations.
        manifest_hash: the manifest's hash of the last migration and all before it; None without migrations.
        fingerprint: the fingerprint of the catalog after the last migration; None if it is unknown.
        pragmas: the PRAGMAs to set on every connection.
        timeout: the seconds to wait for locks of other connections.
    """

    hashes: frozenset[str]
    last: str
    manifest_hash: str | None
    fingerprint: str | None
    pragmas: tuple[Pragma, ...]
    timeout: float


def read_head(folder: str) -> Head | None:
    """Return the head of a folder, cached until its manifest changes; None without a manifest.

    Raises:
        MigrationsError: the file is not a manifest that ``generate`` wrote.
    """
    path = os.path.join(os.path.abspath(folder), MANIFEST)  # noqa: PTH100, PTH118 — called whenever a database is opened
    try:
        status = os.stat(path)  # noqa: PTH116 — likewise
    except OSError:
        return _read(path)
    if time.time_ns() - status.st_ctime_ns < _SETTLED_NS:
        return _read(path)
    return _read_cached(path, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=64)
def _read_cached(path: str, _status: tuple[int, ...]) -> Head | None:
    return _read(path)


def _read(path: str) -> Head | None:
    summary = read_summary(path)
    if summary is None:
        return None
    hashes = [migration_hash(name) for name in summary.ids]
    return Head(
        hashes=frozenset(hashes),
        last=hashes[-1] if hashes else "",
        manifest_hash=summary.last_hash,
        fingerprint=summary.fingerprint,
        pragmas=summary.pragmas,
        timeout=wait_timeout(summary.pragmas),
    )


def is_at_head(connection: sqlite3.Connection, head: Head) -> bool:
    """Return whether the database has certainly applied exactly the migrations of ``head``.

    If only yoyo recorded the last migration, compare the catalog with the one that the migrations build.
    """
    hashes, manifest_hash = read_head_records(connection, head.last)
    if hashes != head.hashes:
        return False
    if manifest_hash is not None:
        return manifest_hash == head.manifest_hash
    from waiaas_migrate.sqlite.database.catalog import read_facts

    return read_facts(connection).fingerprint == head.fingerprint
