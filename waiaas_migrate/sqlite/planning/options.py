"""What a project may choose about how tables are changed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a project chose about how tables are changed.

    ``catalog_edits``: whether a table's text may be changed in ``sqlite_master``; rebuilds take their place else.
    ``secure_delete``: whether pages that a rebuild frees are overwritten; None keeps what the connection has
    (https://www.sqlite.org/pragma.html#pragma_secure_delete).
    """

    catalog_edits: bool = True
    secure_delete: bool | None = None
