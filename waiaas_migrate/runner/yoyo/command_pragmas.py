"""The PRAGMAs that the ``yoyo`` command is to use, which does not tell a backend where its migrations are."""

from __future__ import annotations

from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem, ProjectError
from waiaas_migrate.files.migration_dir.manifest import read_manifest
from waiaas_migrate.files.project import find_project
from waiaas_migrate.sqlite.database.pragmas import Pragma

#: Where nobody declared any: wait for other connections. Foreign keys are off while migrations run in any case.
SANE = (Pragma(name="busy_timeout", value=5000),)


def declared_pragmas(migrations: str | None) -> tuple[Pragma, ...]:
    """The PRAGMAs of the manifest in the folder ``migrations``; without one, in that of the project this is run in.

    Raises:
        MigrationsError: the folder that was named is none, or a manifest cannot be used.
    """
    if migrations is not None and not Path(migrations).is_dir():
        what = "there is no such folder of migrations."
        raise MigrationsError([Problem(file=migrations, what=what, fix="Correct ?migrations= in the database's URL.")])
    try:
        folder = Path(migrations) if migrations is not None else find_project(Path.cwd()).migrations
    except ProjectError:
        return SANE
    manifest = read_manifest(folder)
    if manifest is None:
        return SANE
    names = {pragma.name.lower() for pragma in manifest.pragmas}
    return (*(pragma for pragma in SANE if pragma.name not in names), *manifest.pragmas)
