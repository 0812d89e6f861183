"""``squash``: replace the first migrations of a folder by one migration that builds the same database.

The new migration gets the id of the last migration that it replaces. So later migrations can depend on the same id, and
plain yoyo doesn't run the new migration on a database that has applied the old ones. All CREATE statements are copied
word for word, because later migrations edit their text.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import closing, suppress
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
from waiaas_migrate.files.migration_dir.facts import Facts, Replaced, short_fingerprint
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Squashed:
    """The result of ``squash``.

    Args:
        migration: the id of the new migration, which is the last of ``replaced``.
        replaced: the ids of the migrations that it replaces.
        rows: the tables into which the new migration inserts rows, each with the number of rows.
        written: the files that were written.
        deleted: the files of the old migrations, except those that the new migration overwrote.
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
    """Replace the first migrations by one migration that is proved in memory to make the same schema and rows.

    Args:
        project: where the files are.
        to: the id of the last migration to replace; the last one of the folder if None.

    Raises:
        UsageError: ``to`` names an unknown migration, or fewer than two would be replaced.
        MigrationsError: the folder can't be used, or a single migration can't build the same database.
    """
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    migrations, manifest = _read_recorded(project)
    old = migrations[: _count_to_replace(migrations, to)]
    later = migrations[len(old) :]
    _refuse_dependents(old, later)
    with closing(replay(old)) as before:
        new = _squashed(project, old, before)
        content = _prove(new, old, later, before)
        facts = _facts(new, old, manifest, fingerprint(read_catalog(before)))
    entries = chain((new, *later), {**manifest.facts, new.id: facts})
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


def _read_recorded(project: Project) -> tuple[tuple[MigrationFile, ...], Manifest]:
    """Return the migrations and the manifest; refuse a folder in which they differ."""
    migrations, _, recorded = read_recorded(project.migrations)
    if recorded is None or not migrations:
        what, fix = "has no recorded migrations.", "Run `waiaas-migrate generate`."
        raise MigrationsError([Problem(file=str(project.migrations), what=what, fix=fix)])
    if problems := check_manifest(recorded, migrations):
        raise MigrationsError(problems)
    return migrations, recorded


def _count_to_replace(migrations: Sequence[MigrationFile], to: str | None) -> int:
    """Return the number of migrations to replace, at least two."""
    ids = [migration.id for migration in migrations]
    if to is not None and to not in ids:
        close = difflib.get_close_matches(to, ids, n=1)
        hint = f"Did you mean {close[0]}?" if close else "Name a migration of the folder without its ending."
        raise UsageError(f"--to {to}: no such migration. {hint}")
    end = len(ids) if to is None else ids.index(to) + 1
    if len(ids) == 1:
        raise UsageError(f"Nothing to squash: {ids[0]} is the only migration. Squashing replaces two or more by one.")
    if end == 1:
        fix = "Name a later one, so that two or more are replaced by one."
        raise UsageError(f"--to {to}: is the first migration. {fix}")
    return end


def _refuse_dependents(old: Sequence[MigrationFile], later: Sequence[MigrationFile]) -> None:
    """Refuse to remove a migration that a later migration depends on."""
    removed = {migration.id for migration in old[:-1]}
    problems = []
    for migration in later:
        if needed := sorted(removed.intersection(migration.depends)):
            what = f"depends on {', '.join(needed)}, which would be removed."
            fix = f"Nothing was changed. Squash up to {migration.id} or later with --to."
            problems.append(Problem(file=str(migration.path), what=what, fix=fix))
    if problems:
        raise MigrationsError(problems)


def _squashed(project: Project, old: Sequence[MigrationFile], before: Connection) -> MigrationFile:
    """Return the migration that replaces ``old``; ``before`` is the database that the old migrations build."""
    renderer, name = Renderer(project.templates), old[-1].id
    schema = introspect(before)
    title = f"{name}: squashes {len(old)} migrations, {old[0].id} to {name}"
    sql = renderer.migration(Head(title=title), dump(before, schema))
    back = make_transition(before, Schema(), Renames(), renderer, project.options)
    remark = "Deletes everything that the squashed migrations made, with all rows."
    rollback = renderer.migration(Head(title=f"Roll back {name}", remarks=(remark,)), plan(back))
    return new_migration(project.migrations / f"{name}.sql", depends=(), sql=sql, rollback=rollback)


def _prove(
    new: MigrationFile, old: Sequence[MigrationFile], later: Sequence[MigrationFile], before: Connection
) -> Content:
    """Prove that ``new`` can replace ``old`` and can be rolled back; return the content that both make."""
    content = content_of(before)
    with closing(replay(old)) as again:
        if changing := content.differences(content_of(again)):
            raise _refused(new, f"the migrations make different rows each time they run: {', '.join(changing)}.")
    if any(first_misread(text) is not None for text in new.files.values()):
        raise _refused(new, "plain yoyo would read its statements differently than SQLite.")
    with closing(open_memory()) as after:
        try:
            run_in_memory(after, new)
        except ApplyError as error:
            raise _refused(new, f"it would fail on an empty database: {error.reason.rstrip('.')}.") from None
        if differing := _differences(before, after):
            raise _refused(
                new, f"one migration can't make what the old ones make: {', '.join(differing)} would differ."
            )
        _prove_later(new, later, before, after)
        run_in_memory(after, new, "rollback")
        if read_catalog(after):
            raise _refused(new, "its rollback would leave objects behind.")
    return content


def _differences(before: Connection, after: Connection) -> list[str]:
    """Return the names of the objects whose definitions or rows differ."""
    old, new = ({(row.kind, row.name, row.sql) for row in read_catalog(database)} for database in (before, after))
    return sorted({name for _, name, _ in old ^ new} | {*content_of(before).differences(content_of(after))})


def _prove_later(new: MigrationFile, later: Sequence[MigrationFile], before: Connection, after: Connection) -> None:
    """Prove that the later migrations have the same effect on sample rows in both databases."""
    with closing(copy_database(before)) as old_copy, closing(copy_database(after)) as new_copy:
        databases = (old_copy, new_copy)
        for database in databases:
            insert_sample_rows(database, introspect(database).tables)
        for migration in later:
            for database in databases:
                with suppress(ApplyError):  # the comparison below shows if only one database refuses
                    run_in_memory(database, migration)
            if differing := _differences(*databases):
                what = f"{migration.id} would act differently after the new migration: {', '.join(differing)}."
                raise _refused(new, what)


def _refused(new: MigrationFile, what: str) -> MigrationsError:
    fix = "Nothing was changed. Squash up to an earlier migration with --to."
    return MigrationsError([Problem(file=str(new.path), what=f"can't be squashed: {what}", fix=fix)])


def _facts(new: MigrationFile, old: Sequence[MigrationFile], manifest: Manifest, head: str) -> Facts:
    """Return the facts about ``new``, which also replaces the migrations that an earlier squash replaced."""
    replaced = [
        *(earlier for migration in old for earlier in manifest.facts[migration.id].replaces),
        *(Replaced(id=migration.id, text_hash=migration.text_hash) for migration in old),
    ]
    return replace(derive_facts(new), catalog=short_fingerprint(head), replaces=tuple(replaced))
