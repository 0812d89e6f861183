"""Which objects of a database belong to other tools, and so to no schema.

Replication and migration tools keep tables of their own in the file. Whatever migrations or schema.yaml make is theirs,
whatever its name; what else a tool is known to make, or the project names in ``ignore_tables``, is left alone.
SQLite's and yoyo's own tables are nowhere seen to begin with (:mod:`waiaas_migrate.sqlite.database.catalog`).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, CatalogRow, fingerprint
from waiaas_migrate.sqlite.reading.virtual_tables import shadow_names, significant_tokens, unquoted

#: The tables of other tools. Only names that no application would choose for itself, or that the tool always uses.
KNOWN_TABLES = (
    # Replication and hosting
    "_litestream_*",  # Litestream
    "_cf_*",  # Cloudflare D1 and Durable Objects
    "crsql_*",  # cr-sqlite
    "__crsql_*",
    "*__crsql_clock",
    "*__crsql_pks",
    # Migration tools
    "__drizzle_migrations",  # Drizzle
    "d1_migrations",  # wrangler
    "alembic_version",  # Alembic
    "django_migrations",  # Django
    "_prisma_migrations",  # Prisma
    "knex_migrations",  # Knex
    "knex_migrations_lock",
    "kysely_migration",  # Kysely
    "kysely_migration_lock",
    "mikro_orm_migrations",  # MikroORM
    "sequelizemeta",  # Sequelize and Umzug
    "schema_migrations",  # Rails, dbmate, golang-migrate, Ecto
    "ar_internal_metadata",  # Rails
    "flyway_schema_history",  # Flyway
    "databasechangelog",  # Liquibase
    "databasechangeloglock",
    "goose_db_version",  # goose
    "atlas_schema_revisions",  # Atlas
    "_sqlx_migrations",  # sqlx
    "__diesel_schema_migrations",  # Diesel
    "refinery_schema_history",  # refinery
    "seaql_migrations",  # SeaORM
    "__efmigrationshistory",  # Entity Framework Core
    "__efmigrationslock",
    "doctrine_migration_versions",  # Doctrine
    "phinxlog",  # Phinx
    "_sqlite_migrations",  # sqlite-migrate
    "grdb_migrations",  # GRDB
    "room_master_table",  # Room
    "android_metadata",  # Android
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTools:
    """What belongs to other tools.

    ``patterns`` are the names or globs of the project's ``ignore_tables``, beside the known ones; ``declared`` the
    folded names of what is ours whatever they say.
    """

    patterns: tuple[str, ...] = ()
    declared: frozenset[str] = frozenset()

    def except_for(self, names: Iterable[str]) -> OtherTools:
        """Return the same, with these names being ours."""
        return replace(self, declared=self.declared | {fold(name) for name in names})

    def own(self, name: str) -> bool:
        """Return whether a table or view of this name belongs to another tool."""
        folded = fold(name)
        return folded not in self.declared and _pattern(self.patterns).match(folded) is not None

    def without(self, rows: tuple[CatalogRow, ...]) -> tuple[CatalogRow, ...]:
        """Return ``rows`` less what belongs to other tools.

        An index or a trigger belongs to its table, a shadow table to its virtual table, and a view to the tables that
        it reads, if it reads no other.
        """
        owned = {fold(row.name) for row in rows if row.kind in ("table", "view") and self.own(row.name)}
        if not owned:
            return rows
        owned |= shadow_names([row for row in rows if not row.is_virtual or fold(row.name) in owned]) - self.declared
        owned |= self._views_on(owned, [row for row in rows if row.kind == "view"])
        return tuple(row for row in rows if fold(row.table) not in owned)

    def _views_on(self, owned: Iterable[str], views: Sequence[CatalogRow]) -> set[str]:
        """Return the views that read nothing but ``owned`` and one another, and that are not ours."""
        found: set[str] = set()
        while True:
            theirs = {*owned, *found}
            more = {fold(row.name) for row in views if (read := _tables_read(row.sql)) and read <= theirs}
            more -= found | self.declared
            if not more:
                return found
            found |= more

    def fingerprints(self, facts: CatalogFacts) -> tuple[str, ...]:
        """Return the fingerprints of a catalog with and, if there is any, without what belongs to other tools."""
        ours = self.without(facts.rows)
        return (facts.fingerprint,) if len(ours) == len(facts.rows) else (facts.fingerprint, fingerprint(ours))

    def is_recorded(self, facts: CatalogFacts, recorded: str) -> bool:
        """Return whether a catalog has the ``recorded`` fingerprint, with or without what belongs to other tools."""
        return facts.fingerprint == recorded or recorded in self.fingerprints(facts)


@lru_cache(maxsize=64)
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one pattern for the known tables and those of the project."""
    return re.compile("|".join(fnmatch.translate(fold(one)) for one in (*KNOWN_TABLES, *patterns)))


@lru_cache(maxsize=1024)
def _tables_read(sql: str) -> frozenset[str]:
    """Return the folded names behind FROM and JOIN in the text of a view."""
    words = [word for word in significant_tokens(sql) if word != "("]
    read: set[str] = set()
    for place, word in enumerate(words):
        if word.upper() in ("FROM", "JOIN"):
            behind = place + (3 if words[place + 2 : place + 3] == ["."] else 1)
            read.update(fold(unquoted(name)) for name in words[behind : behind + 1] if name.upper() != "SELECT")
    return frozenset(read)
