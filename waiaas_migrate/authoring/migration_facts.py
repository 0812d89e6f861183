"""The facts about each migration that was not planned just now: as recorded before, or read out of its SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.files.migration_dir.facts import UNKNOWN, Facts, mark
from waiaas_migrate.files.migration_dir.manifest import Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, Effects
from waiaas_migrate.sqlite.planning.sql_effects import effects_of_sql


def facts_of(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> dict[str, Facts]:
    """The facts about ``migrations``, by id.

    Recorded facts about a migration stay as they are, and so does the catalog after it unless a new one runs before it.

    Raises:
        MigrationsError: a migration fails in memory.
    """
    known = {} if recorded is None else {entry.id: entry.facts for entry in recorded.migrations}
    facts = {migration.id: _completed(migration, known.get(migration.id)) for migration in migrations}
    is_recorded = recorded is not None and recorded.ids == tuple(facts)
    if is_recorded and all(one.catalog is not None for one in facts.values()):
        return facts
    marks = _marks(migrations)
    return {name: replace(one, catalog=marks[name]) for name, one in facts.items()}


def derive_facts(migration: MigrationFile) -> Facts:
    """What the SQL of ``migration`` tells; the worst about one in Python."""
    if migration.kind == "python":
        return UNKNOWN
    return Facts(forward=effects_of_sql(migration.statements), rollback=_rollback_effects(migration))


def _completed(migration: MigrationFile, known: Facts | None) -> Facts:
    """``known``, with what nobody knew derived; a rollback may have been written since."""
    if known is None or migration.kind == "python":
        return derive_facts(migration) if known is None else known
    is_new = migration.rollback is not None and not known.rollback.is_known
    return replace(known, rollback=_rollback_effects(migration)) if is_new else known


def _rollback_effects(migration: MigrationFile) -> Effects:
    return (
        WORST_CASE if migration.rollback is None else replace(effects_of_sql(migration.rollback_statements), loses=True)
    )


def _marks(migrations: Sequence[MigrationFile]) -> dict[str, str]:
    """The marks of the catalogs after each migration."""
    found: dict[str, str] = {}

    def note(migration: MigrationFile, connection: sqlite3.Connection) -> None:
        found[migration.id] = mark(fingerprint(read_catalog(connection)))

    with closing(replay(migrations, note=note)):
        return found
