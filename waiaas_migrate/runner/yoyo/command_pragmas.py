"""The PRAGMAs for the ``yoyo`` command, which does not pass the migrations folder to a backend."""

from __future__ import annotations

from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem, ProjectError
from waiaas_migrate.files.migration_dir.manifest import read_manifest
from waiaas_migrate.files.project import find_project
from waiaas_migrate.sqlite.database.pragmas import Pragma

#: The PRAGMA that is set if no manifest declares it. Foreign keys are off while migrations run in any case.
_WAIT = Pragma(name="busy_timeout", value=5000)


def declared_pragmas(migrations: str | None) -> tuple[Pragma, ...]:
    """Return the PRAGMAs of the manifest in the folder ``migrations``, by default that of the current project.

    Raises:
        MigrationsError: the folder does not exist, or its manifest cannot be used.
    """
    if migrations is not None and not Path(migrations).is_dir():
        what = "there is no such folder of migrations."
        raise MigrationsError([Problem(file=migrations, what=what, fix="Correct ?migrations= in the database's URL.")])
    try:
        folder = Path(migrations) if migrations is not None else find_project(Path.cwd()).migrations
    except ProjectError:
        return (_WAIT,)
    manifest = read_manifest(folder)
    declared = () if manifest is None else manifest.pragmas
    return declared if any(pragma.name.lower() == _WAIT.name for pragma in declared) else (_WAIT, *declared)
