"""Which databases the arguments of a command name, patterns among them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from waiaas_migrate.errors import MigrateError, UsageError
from waiaas_migrate.runner.backups.backup import is_backup
from waiaas_migrate.runner.migrating_lock import LOCK_SUFFIX
from waiaas_migrate.sqlite.database.url import MEMORY, database_path

_COMPANIONS = ("-wal", "-shm", "-journal", LOCK_SUFFIX)


def refuse_one_name(databases: Iterable[str] | str | bytes | os.PathLike[str]) -> None:
    """Refuse one name in the place of a list, each letter of which would be taken for a database.

    Raises:
        UsageError: says so.
    """
    if isinstance(databases, str | bytes | os.PathLike):
        raise UsageError(f"{databases!r} is one database. Give a list of them.")


def expand(arguments: Sequence[str]) -> tuple[str, ...]:
    """The databases that ``arguments`` mean, each once, in their order.

    What holds ``*``, ``?`` or ``[`` is a pattern, unless a file is called so; ``**`` goes through folders. It stands
    for files, and not for a database's WAL, journal, lock file or backup.

    Raises:
        UsageError: a pattern finds nothing, or ``arguments`` is one name.
    """
    refuse_one_name(arguments)
    found: dict[object, str] = {}
    for argument in arguments:
        for database in _matching(argument) if is_pattern(argument) else (argument,):
            found.setdefault(_file_of(database), database)
    return tuple(found.values())


def named(arguments: Sequence[str]) -> frozenset[str]:
    """Those of ``arguments`` that name a database themselves, which may be a new one."""
    return frozenset(argument for argument in arguments if not is_pattern(argument))


def is_single(arguments: Sequence[str]) -> bool:
    """Whether ``arguments`` name one database, rather than a number of them."""
    return len(arguments) == 1 and not is_pattern(arguments[0])


def is_pattern(argument: str) -> bool:
    """Whether ``argument`` stands for the files that match it."""
    return glob.has_magic(argument) and not argument.startswith(("file:", "sqlite:")) and not os.path.lexists(argument)


def _matching(pattern: str) -> list[str]:
    found = [name for name in sorted(glob.glob(pattern, recursive=True)) if _is_database(name)]  # noqa: PTH207 — as typed
    if not found:
        raise UsageError(
            f"{pattern}: no file matches. Check the pattern; to make a file of that very name, write a sqlite:/// URL "
            f"with %3F for ?, %2A for * and %5B for [."
        )
    return found


def _is_database(name: str) -> bool:
    path = Path(name)
    owners = [name.removesuffix(ending) for ending in _COMPANIONS if name.endswith(ending)]
    return path.is_file() and not is_backup(path) and not any(Path(owner).exists() for owner in owners)


def _file_of(database: str) -> object:
    """What all names of one file have in common: paths, URLs, and links of either kind.

    By two hard links at once SQLite would damage a database, since each has a journal or WAL of its own
    (https://www.sqlite.org/howtocorrupt.html#_multiple_links_to_the_same_file).
    """
    try:
        file = database_path(database).file
    except MigrateError:
        return database
    if file is None:
        return database
    try:
        found = os.stat(file)  # noqa: PTH116 — a fleet asks for it once for each database
    except OSError:
        return os.path.realpath(file)
    return found.st_dev, found.st_ino


def identity(database: str) -> str:
    """What two names of one database have in common: the file's own path, links followed."""
    plain = database == MEMORY or database.startswith(("file:", "sqlite:")) or "\0" in database
    return database if plain or not database else os.path.realpath(database)
