"""Load Python migrations with yoyo, and read their dependencies.

Import this module only if there is a Python migration, because importing yoyo takes time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from yoyo.exceptions import BadMigration
from yoyo.migrations import Migration

# yoyo logs the traceback of each error that it raises; without a handler Python would print it.
logging.getLogger("yoyo").addHandler(logging.NullHandler())


def yoyo_migrations(paths: Iterable[Path]) -> dict[str, Migration]:
    """Return yoyo's object for each file of a folder, by id.

    Pass all files, because yoyo looks for dependencies only among the migrations that it knows.
    """
    return {path.stem: Migration(path.stem, str(path), str(path.parent)) for path in paths}


def load_header(path: Path, folder: Sequence[Path]) -> tuple[tuple[str, ...], bool] | str:
    """Return a migration's dependencies and whether it is transactional, or a message if it can't be loaded.

    ``folder`` has the paths of all migrations.
    """
    migration = yoyo_migrations(folder)[path.stem]
    try:
        migration.load()
    except BadMigration as error:
        # With one argument, this exception means an unknown dependency. By then, yoyo has loaded the module. The caller
        # checks all dependencies.
        if len(error.args) > 1:
            return f"{type(error.args[1]).__name__}: {error.args[1]}"
    except (OSError, UnicodeError) as error:
        return str(error)
    except SystemExit as error:
        return f"it exits the interpreter: SystemExit({error.code!r})"
    names = getattr(migration.module, "__depends__", ())
    if isinstance(names, bytes | str):
        names = [names]
    depends = tuple(sorted(name for name in names if isinstance(name, str)))
    return depends, bool(getattr(migration.module, "__transactional__", True))
