"""SQLAlchemy for a migrated database: engines, and column types that match the types of schema.yaml.

Install the extra: ``pip install 'waiaas-migrate[sqlalchemy]'``.
"""

from __future__ import annotations

try:
    import sqlalchemy as _sqlalchemy  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "waiaas_migrate.sqlalchemy needs SQLAlchemy. Run: pip install 'waiaas-migrate[sqlalchemy]'", name="sqlalchemy"
    ) from _error

from waiaas_migrate.sqlalchemy.column_types import (
    BooleanInteger,
    DecimalText,
    Declared,
    EnumInteger,
    EnumText,
    JsonText,
    Timestamp,
    UuidText,
)
from waiaas_migrate.sqlalchemy.engine import create_async_engine, create_engine
from waiaas_migrate.sqlalchemy.reflection import include_name

__all__ = [
    "BooleanInteger",
    "DecimalText",
    "Declared",
    "EnumInteger",
    "EnumText",
    "JsonText",
    "Timestamp",
    "UuidText",
    "create_async_engine",
    "create_engine",
    "include_name",
]
