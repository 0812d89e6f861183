"""``squash``: replace the first migrations by one that makes the same database.

The new migration keeps the id of the last one that it replaces. So later migrations depend on it as before, and plain
yoyo has nothing to run on a database that is past it. It repeats the catalog word for word, because later migrations
edit these words.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from sqlite3 import Connection

from waiaas_migrate.authoring.database_dump import Content, content_of, dump, row_counts
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.authoring.row_proof import insert_sample_rows
from waiaas_migrate.authoring.yoyo_reading import first_misread
from waiaas_migrate.errors import ApplyError, MigrationsError, Problem, UsageError
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.facts import Facts, Replaced, mark
from waiaas_migrate.files.migration_dir.manifest import Manifest, chain, check_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, new_migration
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.templates.render import Head, Renderer
from waiaas_migrate.runner.replay import replay, run_in_memory
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.memory import copy_database, open_memory
from waiaas_migrate.sqlite.planning.plan import plan
from waiaas_migrate.sqlite.reading.introspect import introspect

_KEEP = "Nothing was changed. Squash up to an earlier migration with --to."


@dataclass(frozen=True, slots=True, kw_only=True)
class Squashed:
    """What ``squash`` did.

    Args:
        migration: the id of the new migration.
        replaced: the ids of the migrations that it replaces; it reuses the last id.
        rows: the tables into which it inserts rows, as the old migrations did, and how many.
        written: the files that were written.
        deleted: the files of the old migrations.
        removed: files of an interrupted run that were deleted.
    """

    migration: str
    replaced: tuple[str, ...]
    rows: tuple[tuple[str, int], ...]
    written: tuple[Path, ...]
    deleted: tuple[Path, ...]
    removed: tuple[Path, ...]


@collection_paused()
def squash(project: Project, *, to: str | None = None) -> Squashed:
    """Replace the first migrations by one, proved in memory to make the same schema and rows.

    Args:
        project: where the files are.
        to: the last migration to replace; None means the last of the folder.

    Raises:
        UsageError: there is no such migration, or only one would be replaced.
        MigrationsError: the folder cannot be used, or one migration can't do what the old ones do.
    """
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    migrations, manifest = _recorded(project)
    old = migrations[: _end(migrations, to)]
    rest = migrations[len(old) :]
    _refuse_dependents(old, rest)
    with closing(replay(old)) as before:
        new = _squashed(project, old, before)
        content = _proved(new, old, rest, before)
        facts = _facts(new, old, manifest, fingerprint(read_catalog(before)))
    entries = chain((new, *rest), {**manifest.facts, new.id: facts})
    replaced = {name: text for migration in old for name, text in migration.files.items()}
    manifest = replace(manifest, migrations=entries)
    written = write_history(project.migrations, manifest, old=replaced, new=new.files, seen=seen)
    return Squashed(
        migration=new.id,
        replaced=tuple(migration.id for migration in old),
        rows=row_counts(content),
        written=written,
        deleted=tuple(project.migrations / name for name in replaced if name not in new.files),
        removed=removed,
    )


def _recorded(project: Project) -> tuple[tuple[MigrationFile, ...], Manifest]:
    """Return the migrations and the manifest, which lists each as it is."""
    migrations, _, recorded = read_recorded(project.migrations)
    if recorded is None or not migrations:
        what, fix = "has no recorded migrations.", "Run `waiaas-migrate generate`."
        raise MigrationsError([Problem(file=str(project.migrations), what=what, fix=fix)])
    if problems := check_manifest(recorded, migrations):
        raise MigrationsError(problems)
    return migrations, recorded


def _end(migrations: Sequence[MigrationFile], to: str | None) -> int:
    """Return how many migrations to replace."""
    ids = [migration.id for migration in migrations]
    if to is not None and to not in ids:
        close = difflib.get_close_matches(to, ids, n=1)
        hint = f"Did you mean {close[0]}?" if close else "Name a migration of the folder without its ending."
        raise UsageError(f"--to {to}: no such migration. {hint}")
    end = len(ids) if to is None else ids.index(to) + 1
    if len(ids) == 1:
        raise UsageError(f"Nothing to squash: {ids[0]} is the only migration. Squashing replaces two or more by one.")
    if end == 1:
        raise UsageError(
            f"--to {to}: is the first migration. Name a later one, so that two or more are replaced by one."
        )
    return end


def _refuse_dependents(old: Sequence[MigrationFile], rest: Sequence[MigrationFile]) -> None:
    """Refuse to remove a migration that one of ``rest`` depends on."""
    gone = {migration.id for migration in old[:-1]}
    problems = [
        Problem(
            file=str(migration.path),
            what=f"depends on {', '.join(sorted(gone.intersection(migration.depends)))}, which would be removed.",
            fix=f"Nothing was changed. Squash up to {migration.id} or later with --to.",
        )
        for migration in rest
        if gone.intersection(migration.depends)
    ]
    if problems:
        raise MigrationsError(problems)


def _squashed(project: Project, old: Sequence[MigrationFile], before: Connection) -> MigrationFile:
    """Return the migration that makes the database ``before``, which ``old`` make."""
    renderer, name = Renderer(project.templates), old[-1].id
    schema = introspect(before)
    title = f"{name}: squashes {len(old)} migrations, {old[0].id} to {name}"
    sql = renderer.migration(Head(title=title), dump(before, schema))
    empty = make_transition(before, Schema(), Renames(), renderer, project.options)
    remark = "Deletes everything that the squashed migrations made, with all rows."
    rollback = renderer.migration(Head(title=f"Roll back {name}", remarks=(remark,)), plan(empty))
    return new_migration(project.migrations / f"{name}.sql", depends=(), sql=sql, rollback=rollback)


def _proved(
    new: MigrationFile, old: Sequence[MigrationFile], rest: Sequence[MigrationFile], before: Connection
) -> Content:
    """Prove that ``new`` makes the same database as ``old``, that ``rest`` runs on its rows, and that it rolls back.

    Returns:
        The rows that both make.

    Raises:
        MigrationsError: says what differs.
    """
    content = content_of(before)
    with closing(replay(old)) as again:
        if changing := content.differences(content_of(again)):
            raise _refused(new, f"the migrations make other rows each time they run: {', '.join(changing)}.")
    if any(first_misread(text) is not None for text in (new.sql, new.rollback or "")):
        raise _refused(new, "plain yoyo would not read its statements as SQLite does.")
    with closing(open_memory()) as after:
        try:
            run_in_memory(after, new)
        except ApplyError as error:
            raise _refused(new, f"it would fail on an empty database: {error.reason.rstrip('.')}.") from None
        if changing := _differences(before, after):
            raise _refused(new, f"one migration can't make what the old ones make: {', '.join(changing)} would differ.")
        _prove_rest(new, rest, before, after)
        run_in_memory(after, new, "rollback")
        if read_catalog(after):
            raise _refused(new, "its rollback would leave objects behind.")
    return content


def _differences(one: Connection, other: Connection) -> list[str]:
    """Return the names of the objects whose definition or rows differ."""
    rows, others = ({(row.kind, row.name, row.sql) for row in read_catalog(each)} for each in (one, other))
    return sorted({name for _, name, _ in rows ^ others} | {*content_of(one).differences(content_of(other))})


def _prove_rest(new: MigrationFile, rest: Sequence[MigrationFile], before: Connection, after: Connection) -> None:
    """Show that ``rest`` do the same to sample rows in both databases."""
    with closing(copy_database(before)) as one, closing(copy_database(after)) as other:
        for each in (one, other):
            insert_sample_rows(each, introspect(each).tables)
        for migration in rest:
            for each in (one, other):
                try:
                    run_in_memory(each, migration)
                except ApplyError:  # the migration refuses these rows; both databases must refuse them
                    continue
            if changing := _differences(one, other):
                raise _refused(new, f"{migration.id} would act differently after it: {', '.join(changing)}.")


def _refused(new: MigrationFile, what: str) -> MigrationsError:
    return MigrationsError([Problem(file=str(new.path), what=f"can't be squashed: {what}", fix=_KEEP)])


def _facts(new: MigrationFile, old: Sequence[MigrationFile], manifest: Manifest, head: str) -> Facts:
    replaced = [
        *(one for migration in old for one in manifest.facts[migration.id].replaces),
        *(Replaced(id=migration.id, text_hash=migration.text_hash) for migration in old),
    ]
    return replace(derive_facts(new), catalog=mark(head), replaces=tuple(replaced))
