"""Leave the record of migrations out of what SQLAlchemy and Alembic compare with an application's tables."""

from __future__ import annotations

from collections.abc import Mapping

from waiaas_migrate.sqlite.database.catalog import is_internal


def include_name(name: str | None, type_: str, parent_names: Mapping[str, str | None]) -> bool:
    """Return whether a table is the application's; pass this to Alembic's ``context.configure`` as ``include_name``."""
    table = name if type_ == "table" else parent_names.get("table_name")
    return table is None or not is_internal(table)
