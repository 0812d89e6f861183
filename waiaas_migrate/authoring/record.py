"""``record``: update ``manifest.json`` after migrations were written, edited or deleted by hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.faulty_rollbacks import faulty_rollbacks
from waiaas_migrate.authoring.generate import pragmas_of
from waiaas_migrate.authoring.migration_conflicts import refuse_conflicts, replay_folder
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.authoring.released import reasons_released
from waiaas_migrate.authoring.yoyo_reading import refuse_misread
from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.manifest import Manifest, chain, edited_ids, read_recorded
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import load_schema
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The result of ``record``.

    Args:
        added: the ids of new migrations, which are now listed.
        edited: the ids of migrations that were edited after they were recorded.
        deleted: the ids of recorded migrations whose files are missing, which are no longer listed.
        notices: a message for each new or edited migration whose rollback is missing or doesn't work.
        written: the manifest, if it changed.
        removed: files of an interrupted run that were deleted.
    """

    added: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    written: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()


@collection_paused()
def record(project: Project, *, released: Collection[str] = ()) -> Recorded:
    """List every migration of the folder in ``manifest.json`` as it is now.

    All migrations are first replayed in memory. PRAGMAs and rename hints stay as recorded; ``generate`` updates them.
    Only a new manifest gets the PRAGMAs of schema.yaml.

    Args:
        project: where the files are.
        released: ids of released migrations. They and the migrations before them must not change.

    Raises:
        MigrationsError: a migration fails in memory, or a released migration was edited or deleted.
        UsageError: ``released`` names an unknown migration.
    """
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    migrations, _, recorded = read_recorded(project.migrations)
    listed = () if recorded is None else recorded.ids
    ids = [migration.id for migration in migrations]
    result = Recorded(
        added=tuple(name for name in ids if name not in listed),
        edited=() if recorded is None else edited_ids(recorded, migrations),
        deleted=tuple(name for name in listed if name not in ids),
        removed=removed,
    )
    if changed := (*result.edited, *result.deleted):
        _refuse_released(project, listed, changed, released)
    unchanged = _without(recorded, changed)
    refuse_misread(migrations, unchanged)
    with closing(replay_folder(migrations, unchanged)) as replayed:
        head = fingerprint(read_catalog(replayed))
    # Edited migrations keep their place in the order, so here they count as recorded.
    refuse_conflicts(migrations, _without(recorded, result.deleted))
    entries = chain(migrations, facts_of(migrations, unchanged))
    manifest = replace(recorded or _first_manifest(project), migrations=entries, fingerprint=head)
    if manifest == recorded:
        return result
    notices = tuple(one.what for one in faulty_rollbacks(migrations, {*result.added, *result.edited}))
    written = write_history(project.migrations, manifest, old={}, new={}, seen=seen)
    return replace(result, notices=notices, written=written)


def _without(recorded: Manifest | None, ids: Collection[str]) -> Manifest | None:
    if recorded is None:
        return None
    return replace(recorded, migrations=tuple(entry for entry in recorded.migrations if entry.id not in ids))


def _first_manifest(project: Project) -> Manifest:
    pragmas = pragmas_of(load_schema(project.schema, root=project.root)) if project.schema.is_file() else ()
    return Manifest(pragmas=pragmas, ignore=project.ignore)


def _refuse_released(project: Project, ids: Sequence[str], changed: Sequence[str], named: Collection[str]) -> None:
    """Refuse changes of released migrations; ``named`` are ids that the user calls released."""
    reasons = reasons_released(project, ids, named)
    fix = "Restore it from git, and write a new migration for further changes."
    problems = []
    for name in changed:
        if name in reasons:
            what = f"was edited or deleted, but is released: {reasons[name]}."
            problems.append(Problem(file=str(project.migrations / name), what=what, fix=fix))
    if problems:
        raise MigrationsError(problems)
