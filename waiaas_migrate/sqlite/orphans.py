"""The query for orphans: rows whose foreign key has no parent."""

from __future__ import annotations

from collections.abc import Sequence


def orphan_condition(columns: Sequence[str], parent: str, targets: Sequence[str]) -> str:
    """Return the condition for a row of the table ``child`` to be an orphan by one foreign key.

    All names are quoted already. ``targets`` are empty if the table ``parent`` does not exist.
    """
    is_set = " AND ".join(f"child.{column} IS NOT NULL" for column in columns)
    if not targets:
        return is_set
    # A unary plus removes a column's affinity, so that the parent's decides, as it does for a foreign key.
    same = " AND ".join(f"parent.{target} = +child.{name}" for target, name in zip(targets, columns, strict=True))
    return f"{is_set} AND NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE {same})"
