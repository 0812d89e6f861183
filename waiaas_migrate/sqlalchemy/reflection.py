"""Adapt SQLAlchemy's reflection, so that Alembic reports no false differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine

from waiaas_migrate.sqlite.database.catalog import is_internal

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint

    from waiaas_migrate.schema.model import ForeignKey


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:
    """Return whether Alembic should compare an object; pass this function to its ``context.configure``.

    Alembic should compare everything except SQLite's own tables and the tables that record migrations.
    """
    table = name if type_ == "table" else parent_names.get("table_name")
    return table is None or not is_internal(table)


def reflect_inline_keys(engine: Engine) -> None:
    """Let ``engine`` also reflect ON DELETE, ON UPDATE and DEFERRABLE of foreign keys that a column declares.

    SQLAlchemy reads these clauses only from table constraints, so Alembic would report each such key as changed.
    """
    dialect = engine.dialect
    reflect = dialect.get_foreign_keys

    def get_foreign_keys(
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **options: Any,  # noqa: ANN401 — SQLAlchemy's
    ) -> list[ReflectedForeignKeyConstraint]:
        keys = reflect(connection, table_name, schema, **options)
        if keys and schema is None:
            declared = {_identity(key.columns, key.table): key for key in _declared_keys(connection, table_name)}
            for key in keys:
                declaration = declared.get(_identity(key["constrained_columns"], key["referred_table"]))
                if declaration is not None and declaration.inline:
                    key["options"] = _options(declaration)
        return keys

    dialect.get_foreign_keys = get_foreign_keys  # type: ignore[method-assign]  # only this engine uses the dialect


def _identity(columns: tuple[str, ...] | list[str], table: str) -> tuple[str, ...]:
    return (table.lower(), *(column.lower() for column in columns))


def _declared_keys(connection: Connection, table_name: str) -> tuple[ForeignKey, ...]:
    """Return the foreign keys in a table's CREATE statement; none if it can't be parsed."""
    from waiaas_migrate.sqlite.reading.ddl_table import read_table
    from waiaas_migrate.sqlite.reading.grammar import SqlError

    query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?)"
    sql = connection.exec_driver_sql(query, (table_name,)).scalar()
    try:
        return read_table(sql).foreign_keys if sql else ()
    except SqlError:
        return ()


def _options(key: ForeignKey) -> dict[str, Any]:
    kind, _, initially = (key.deferral or "").partition(" INITIALLY ")
    options = {
        "ondelete": key.on_delete,
        "onupdate": key.on_update,
        "deferrable": kind == "DEFERRABLE" if kind else None,
        "initially": initially or None,
    }
    return {name: value for name, value in options.items() if value is not None}
