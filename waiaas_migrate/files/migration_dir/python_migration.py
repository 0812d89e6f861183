"""Load Python migrations with yoyo. Importing yoyo takes time, so import this module only for Python migrations."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from yoyo.exceptions import BadMigration
from yoyo.migrations import Migration

# yoyo logs the traceback of each error that it raises. Without a handler, Python would print the traceback.
logging.getLogger("yoyo").addHandler(logging.NullHandler())


def yoyo_migrations(paths: Iterable[Path]) -> dict[str, Migration]:
    """Return yoyo's object for each file of a folder, by id.

    Pass all files, because yoyo looks for dependencies only among the migrations that it knows.
    """
    return {path.stem: Migration(path.stem, str(path), str(path.parent)) for path in paths}


def load_header(path: Path, all_paths: Sequence[Path]) -> tuple[tuple[str, ...], bool] | str:
    """Return a migration's dependencies and whether it is transactional, or a message if yoyo can't load it."""
    migration = yoyo_migrations(all_paths)[path.stem]
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
