"""Read the migrations of both sides of a merge from git, for ``rebase``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.git import extract_committed, read_committed, read_merge
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, check_manifest, ids_in, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The migrations of one side of a merge and their manifest."""

    migrations: tuple[MigrationFile, ...]
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """Both sides of a merge.

    Args:
        main: the side of the main branch.
        yours: the other side, which messages call your branch.
        added: the migrations that only your branch has.
        folder: a temporary folder with the main branch's files.
    """

    main: Branch
    yours: Branch
    added: tuple[MigrationFile, ...]
    folder: Path

    def is_by_hand(self, migration: MigrationFile) -> bool:
        """Return whether ``migration``, one of ``added``, was written or edited by hand."""
        return migration.kind == "python" or self.yours.manifest.facts[migration.id].by_hand


@contextmanager
def read_branches(project: Project, onto: str | None) -> Iterator[Branches]:
    """Yield both sides of the merge as they are in git; delete the temporary files after the ``with`` block.

    Raises:
        UsageError: git finds no merge, or neither side belongs to the main branch.
        MigrationsError: a side has no usable manifest, or your branch changed migrations that both sides had.
    """
    merge = read_merge(project.migrations, project.main_branch, onto)
    base = read_committed(project.migrations, merge.base, MANIFEST) if merge.base else None
    shared = ids_in(base, f"{merge.base}:{MANIFEST}") if base is not None else ()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "main")
        main, yours = _read(project, merge.main, folder), _read(project, merge.branch, Path(temporary, "yours"))
        if yours.manifest.ids[: len(shared)] != shared:
            what = "your branch changed, squashed or deleted migrations that both branches had."
            fix = "Undo the merge, revert this change on your branch, merge, then make the change again."
            raise MigrationsError([Problem(file=str(project.migrations / MANIFEST), what=what, fix=fix)])
        on_main = {(one.id, one.content_hash) for one in main.migrations}
        added = tuple(one for one in yours.migrations[len(shared) :] if (one.id, one.content_hash) not in on_main)
        yield Branches(main=main, yours=yours, added=added, folder=folder)


def _read(project: Project, commit: str, folder: Path) -> Branch:
    """Write the migrations of ``commit`` into the new ``folder``, and read them."""
    folder.mkdir()
    extract_committed(project.migrations, commit, folder)
    path = project.migrations / MANIFEST
    with naming_project_paths(project, folder):
        migrations, _, manifest = read_recorded(folder)
        if manifest is None:
            fix = "Run `waiaas-migrate record` on that branch, then merge again."
            raise MigrationsError([Problem(file=str(path), what=f"is missing in the commit {commit[:10]}.", fix=fix)])
        if problems := check_manifest(manifest, migrations):
            raise MigrationsError([replace(one, what=f"in the commit {commit[:10]}: {one.what}") for one in problems])
    return Branch(migrations=migrations, manifest=manifest)


@contextmanager
def naming_project_paths(project: Project, folder: Path) -> Iterator[None]:
    """In errors raised in the ``with`` block, replace the temporary ``folder`` by the project's migrations folder."""
    try:
        yield
    except MigrationsError as error:
        problems = [replace(one, file=one.file.replace(str(folder), str(project.migrations))) for one in error.problems]
        raise MigrationsError(problems) from None
