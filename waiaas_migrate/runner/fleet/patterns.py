"""Find the databases that a command's arguments name, by path, URL or pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from waiaas_migrate.errors import MigrateError, UsageError
from waiaas_migrate.runner.backups.backup import is_backup
from waiaas_migrate.runner.backups.partial import COMPANIONS
from waiaas_migrate.runner.migrating_lock import LOCK_SUFFIX
from waiaas_migrate.sqlite.database.url import StrPath, database_path


def refuse_single_name(databases: Iterable[StrPath] | StrPath | bytes) -> None:
    """Refuse a single name in place of a list, since each letter would be taken for a database.

    Raises:
        UsageError: ``databases`` is a single name.
    """
    if isinstance(databases, str | bytes | os.PathLike):
        raise UsageError(f"{databases!r} is one database. Give a list of them.")


def expand(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the databases that ``arguments`` name, each file once, in order.

    An argument with ``*``, ``?`` or ``[`` is a pattern, unless a file has that name; ``**`` matches nested folders.
    Patterns don't match the WAL, journal, lock file and backups of a database.

    Raises:
        UsageError: a pattern matches nothing, or ``arguments`` is a single name.
    """
    refuse_single_name(arguments)
    found: dict[object, str] = {}
    for argument in arguments:
        for database in _matching(argument) if is_pattern(argument) else (argument,):
            found.setdefault(_file_identity(database), database)
    return tuple(found.values())


def without_patterns(arguments: Sequence[str]) -> frozenset[str]:
    """Return the arguments that aren't patterns; the files that they name may be missing."""
    return frozenset(argument for argument in arguments if not is_pattern(argument))


def is_single(arguments: Sequence[str]) -> bool:
    """Return whether ``arguments`` is the name of exactly one database, not a pattern."""
    return len(arguments) == 1 and not is_pattern(arguments[0])


def is_pattern(argument: str) -> bool:
    """Return whether ``argument`` is a pattern for files."""
    return glob.has_magic(argument) and not argument.startswith(("file:", "sqlite:")) and not os.path.lexists(argument)


def _matching(pattern: str) -> list[str]:
    found = [name for name in sorted(glob.glob(pattern, recursive=True)) if _is_database(name)]  # noqa: PTH207 — as typed
    if not found:
        raise UsageError(
            f"{pattern}: no file matches. Check the pattern; to create a file of that very name, write a sqlite:/// "
            f"URL with %3F for ?, %2A for * and %5B for [."
        )
    return found


def _is_database(name: str) -> bool:
    path = Path(name)
    owners = [name.removesuffix(ending) for ending in (*COMPANIONS, LOCK_SUFFIX) if name.endswith(ending)]
    return path.is_file() and not is_backup(path) and not any(Path(owner).exists() for owner in owners)


def _file_identity(database: str) -> object:
    """Return a value that is the same for every name of a file: paths, URLs, and links.

    Using two hard links at once would damage a database, since each name has its own journal or WAL
    (https://www.sqlite.org/howtocorrupt.html#_multiple_links_to_the_same_file).
    """
    try:
        file = database_path(database).file
    except MigrateError:
        return database
    if file is None:
        return database
    try:
        found = os.stat(file)  # noqa: PTH116 — called once for each database of a fleet
    except OSError:
        return os.path.realpath(file)
    return found.st_dev, found.st_ino
