"""``record``: list in ``manifest.json`` the migrations that were written, edited or deleted by hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.branches import refuse_clashes, replay_folder
from waiaas_migrate.authoring.faulty_rollbacks import faulty_rollbacks
from waiaas_migrate.authoring.generate import pragmas_of
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.authoring.released import reasons_released
from waiaas_migrate.authoring.yoyo_reading import refuse_misread
from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.manifest import Manifest, chain, edited, read_recorded
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import load_schema
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog

_NEW = "Restore it from git, and write a new migration for further changes."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What ``record`` did.

    Args:
        added: new migrations, now listed.
        edited: migrations that were edited, listed as they are now.
        deleted: migrations whose files are gone, no longer listed.
        notices: rollbacks of these that do not work.
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
    """List in ``manifest.json`` every migration of the folder as it is now, after a replay in memory.

    A migration that was edited or deleted must not be released. PRAGMAs and rename hints stay as recorded: ``generate``
    takes them from schema.yaml.

    Args:
        project: where the files are.
        released: migrations that, with all before them, must not change.

    Raises:
        MigrationsError: a migration fails in memory, or a released one was edited or deleted.
        UsageError: ``released`` names an unknown migration.
    """
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    migrations, _, recorded = read_recorded(project.migrations)
    listed = () if recorded is None else recorded.ids
    ids = [migration.id for migration in migrations]
    done = Recorded(
        added=tuple(name for name in ids if name not in listed),
        edited=() if recorded is None else edited(recorded, migrations),
        deleted=tuple(name for name in listed if name not in ids),
        removed=removed,
    )
    if changed := (*done.edited, *done.deleted):
        _refuse_released(project, listed, changed, released)
    kept = _without(recorded, changed)
    refuse_misread(migrations, kept)
    with closing(replay_folder(migrations, kept)) as replayed:
        head = fingerprint(read_catalog(replayed))
    # An edited migration keeps its place, which the others rely on.
    refuse_clashes(migrations, _without(recorded, done.deleted))
    entries = chain(migrations, facts_of(migrations, kept))
    manifest = replace(_start(project, recorded), migrations=entries, fingerprint=head)
    if manifest == recorded:
        return done
    notices = tuple(one.what for one in faulty_rollbacks(migrations, {*done.added, *done.edited}))
    written = write_history(project.migrations, manifest, old={}, new={}, seen=seen)
    return replace(done, notices=notices, written=written)


def _without(recorded: Manifest | None, ids: Collection[str]) -> Manifest | None:
    if recorded is None:
        return None
    return replace(recorded, migrations=tuple(entry for entry in recorded.migrations if entry.id not in ids))


def _start(project: Project, recorded: Manifest | None) -> Manifest:
    if recorded is not None:
        return recorded
    pragmas = pragmas_of(load_schema(project.schema, root=project.root)) if project.schema.is_file() else ()
    return Manifest(pragmas=pragmas, ignore=project.ignore)


def _refuse_released(project: Project, ids: Sequence[str], changed: Sequence[str], named: Collection[str]) -> None:
    reasons = reasons_released(project, ids, named)
    problems = [
        Problem(
            file=str(project.migrations / name),
            what=f"was edited or deleted, but is released: {reasons[name]}.",
            fix=_NEW,
        )
        for name in changed
        if name in reasons
    ]
    if problems:
        raise MigrationsError(problems)
