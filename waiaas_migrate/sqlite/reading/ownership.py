"""Decide which objects of a database belong to other tools.

Replication and migration tools keep their own tables in the file. Tables and views that migrations or schema.yaml
declare belong to the project, whatever their names. Other tables are ignored if a tool in ``KNOWN_TABLES`` makes them,
or if the project lists them in ``ignore``. SQLite's and yoyo's own tables never get here, because
:mod:`waiaas_migrate.sqlite.database.catalog` leaves them out.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, CatalogRow, fingerprint
from waiaas_migrate.sqlite.quoting import unquote
from waiaas_migrate.sqlite.reading.virtual_tables import known_shadow_names, significant_tokens

#: The tables that other tools make, as names or globs. An application wouldn't choose such a name for its own table.
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
#: The words that can end a FROM clause.
_AFTER_SOURCES = frozenset(
    ("WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "SELECT")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherTools:
    """The rules that decide which tables and views belong to other tools.

    Args:
        patterns: the names and globs in the project's ``ignore``, in addition to ``KNOWN_TABLES``.
        declared: the folded names of the project's tables and views; patterns don't apply to them.
    """

    patterns: tuple[str, ...] = ()
    declared: frozenset[str] = frozenset()

    def with_declared(self, names: Iterable[str]) -> OtherTools:
        """Return a copy that also has ``names`` as tables and views of the project."""
        return replace(self, declared=self.declared | {fold(name) for name in names})

    def owns(self, name: str) -> bool:
        """Return whether the table or view ``name`` belongs to another tool."""
        folded = fold(name)
        return folded not in self.declared and _pattern(self.patterns).match(folded) is not None

    def exclude_from(self, rows: tuple[CatalogRow, ...]) -> tuple[CatalogRow, ...]:
        """Return ``rows`` without the objects of other tools.

        An index, trigger or shadow table belongs to the owner of its table or virtual table. An undeclared view belongs
        to other tools if every table does whose name follows FROM or JOIN in it.
        """
        owned = {fold(row.name) for row in rows if row.kind in ("table", "view") and self.owns(row.name)}
        if not owned:
            return rows
        candidates = [row for row in rows if not row.is_virtual or fold(row.name) in owned]
        owned |= known_shadow_names(candidates) - self.declared
        views = {fold(row.name): _tables_read(row.sql) for row in rows if row.kind == "view"}
        waiting = {name: read for name, read in views.items() if read and name not in self.declared}
        while more := {name for name, read in waiting.items() if read <= owned} - owned:
            owned |= more
        return tuple(row for row in rows if fold(row.table) not in owned)

    def fingerprints(self, facts: CatalogFacts) -> tuple[str, ...]:
        """Return the fingerprints of a catalog with and without the objects of other tools."""
        rows = self.exclude_from(facts.rows)
        return (facts.fingerprint,) if len(rows) == len(facts.rows) else (facts.fingerprint, fingerprint(rows))


@lru_cache(maxsize=64)
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return a regular expression for ``KNOWN_TABLES`` and the project's ``patterns``."""
    return re.compile("|".join(fnmatch.translate(fold(pattern)) for pattern in (*KNOWN_TABLES, *patterns)))


@lru_cache(maxsize=1024)
def _tables_read(sql: str) -> frozenset[str]:
    """Return the folded names after each FROM and JOIN in a CREATE VIEW, and after the commas in a FROM clause."""
    words = [word for word in significant_tokens(sql) if word != "("]
    read: set[str] = set()
    in_sources = False
    for at, word in enumerate(map(str.upper, words)):
        in_sources = word in ("FROM", "JOIN") or (in_sources and word not in _AFTER_SOURCES)
        if in_sources and word in ("FROM", "JOIN", ","):
            after = at + (3 if words[at + 2 : at + 3] == ["."] else 1)
            read.update(fold(unquote(name)) for name in words[after : after + 1] if name.upper() != "SELECT")
    return frozenset(read)
