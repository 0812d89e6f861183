"""SQLAlchemy for a migrated database: column types that match the types of schema.yaml.

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

__all__ = ["BooleanInteger", "DecimalText", "Declared", "EnumInteger", "EnumText", "JsonText", "Timestamp", "UuidText"]
