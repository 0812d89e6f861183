"""Find the facts about existing migrations: in the manifest, or in the SQL of new migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

from waiaas_migrate.files.migration_dir.facts import UNKNOWN, Facts, short_fingerprint
from waiaas_migrate.files.migration_dir.manifest import Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.planning.effects import WORST_CASE, Effects
from waiaas_migrate.sqlite.planning.sql_effects import effects_of_sql


def facts_of(migrations: Sequence[MigrationFile], recorded: Manifest | None) -> dict[str, Facts]:
    """Return the facts about ``migrations``, by id.

    Recorded facts are kept, except for a rollback that is new. Unless the manifest lists exactly these migrations, all
    with a catalog fingerprint, a replay finds all catalog fingerprints.

    Raises:
        MigrationsError: a migration fails in memory.
    """
    known = {} if recorded is None else recorded.facts
    facts = {migration.id: _current_facts(migration, known.get(migration.id)) for migration in migrations}
    is_recorded = recorded is not None and recorded.ids == tuple(facts)
    if is_recorded and all(one.catalog is not None for one in facts.values()):
        return facts

    def add_catalog(migration: MigrationFile, connection: sqlite3.Connection) -> None:
        facts[migration.id] = replace(
            facts[migration.id], catalog=short_fingerprint(fingerprint(read_catalog(connection)))
        )

    with closing(replay(migrations, note=add_catalog)):
        return facts


def derive_facts(migration: MigrationFile) -> Facts:
    """Return the facts that the SQL of ``migration`` shows; the worst case for a Python migration."""
    if migration.kind == "python":
        return replace(UNKNOWN, by_hand=True)
    forward = effects_of_sql(migration.statements)
    return Facts(forward=forward, rollback=_rollback_effects(migration), by_hand=True)


def _current_facts(migration: MigrationFile, known: Facts | None) -> Facts:
    """Return the ``known`` facts, updated if a rollback was added; derive them from SQL if ``known`` is None."""
    if known is None:
        return derive_facts(migration)
    is_new_rollback = migration.kind == "sql" and migration.rollback is not None and not known.rollback.is_known
    return replace(known, rollback=_rollback_effects(migration)) if is_new_rollback else known


def _rollback_effects(migration: MigrationFile) -> Effects:
    if migration.rollback is None:
        return WORST_CASE
    return replace(effects_of_sql(migration.rollback_statements), loses=True)
