"""Type affinity (https://www.sqlite.org/datatype3.html#determination_of_column_affinity)."""

from __future__ import annotations

from typing import Literal

Affinity = Literal["INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"]


def affinity(declared: str | None) -> Affinity:
    """The affinity of a column of the declared type."""
    text = (declared or "").upper()
    if "INT" in text:
        return "INTEGER"
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not text or "BLOB" in text:
        return "BLOB"
    if any(word in text for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"
