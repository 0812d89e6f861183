"""Project settings that decide how tables are changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The settings of a project that decide how tables are changed.

    Args:
        catalog_edits: edit the text of a table in ``sqlite_schema`` if that is enough; if False, rebuild the table.
        secure_delete: overwrite the pages that a rebuild frees; None keeps the setting of the connection
            (https://www.sqlite.org/pragma.html#pragma_secure_delete).
    """

    catalog_edits: bool = True
    secure_delete: bool | None = None
