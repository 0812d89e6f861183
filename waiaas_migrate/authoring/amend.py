"""Remove the last migration from the history, so that ``generate --amend`` can replace it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from waiaas_migrate.authoring.released import reasons_released
from waiaas_migrate.errors import MigrationsError, Problem, UsageError
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Entry, Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.schema.names import fold


def without_last(
    project: Project, migrations: Sequence[MigrationFile], recorded: Manifest | None, released: Collection[str]
) -> tuple[tuple[MigrationFile, ...], Manifest, MigrationFile]:
    """Return the migrations and the manifest without the last migration, and the last migration.

    Raises:
        MigrationsError: the last migration is released or written by hand, or a migration is not recorded.
        UsageError: there is no migration, or ``released`` names an unknown migration.
    """
    if not migrations:
        raise UsageError("--amend: there is no migration yet. Run `waiaas-migrate generate`.")
    last = migrations[-1]
    entry = None if recorded is None or recorded.ids[-1:] != (last.id,) else recorded.migrations[-1]
    if recorded is None or entry is None or len(recorded.ids) != len(migrations):
        what = f"does not list all migrations, or does not list {last.id} last."
        raise _refused(project.migrations / MANIFEST, what, "Run `waiaas-migrate record`, then run this again.")
    if reason := reasons_released(project, recorded.ids, released).get(last.id):
        raise _refused(last.path, f"is released: {reason}.", "Write a new migration: run `waiaas-migrate generate`.")
    if last.kind == "python" or entry.facts.by_hand:
        fix = "Edit or delete its files, then run `waiaas-migrate record`."
        raise _refused(last.path, "was written or edited by hand, and --amend would discard that.", fix)
    before = replace(recorded, migrations=recorded.migrations[:-1], hints=_hints_before(recorded.hints, entry))
    return tuple(migrations[:-1]), before, last


def _refused(path: Path, what: str, fix: str) -> MigrationsError:
    return MigrationsError([Problem(file=str(path), what=what, fix=fix)])


def _hints_before(hints: tuple[str, ...], last: Entry) -> tuple[str, ...]:
    """Return ``hints`` without the hints for swaps of names in the ``last`` migration.

    The schema has the same names before and after a swap, so only the manifest shows that a swap was done. For each
    swap, the manifest records a hazard with the name of the table.
    """
    swapped = [fold(hazard.where) for hazard in last.facts.forward.hazards if hazard.code == Code.SWAP_NAMES]
    undone = {hint for hint in hints for table in swapped if hint.startswith(f"{table}.")}
    pairs = {new: old for new, _, old in (hint.partition(" < ") for hint in hints)}
    for name in swapped:
        while name in pairs:
            old = pairs.pop(name)
            undone.add(f"{name} < {old}")
            name = old  # noqa: PLW2901 — follows the cycle
    return tuple(hint for hint in hints if hint not in undone)
