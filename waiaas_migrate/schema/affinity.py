"""The affinity of declared types, by which SQLite converts stored values."""

from __future__ import annotations

from typing import Literal

Affinity = Literal["TEXT", "BLOB", "REAL", "NUMERIC"]


def affinity(declared: str | None, *, strict: bool = False) -> Affinity:
    """Return the affinity of a column with the declared type.

    INTEGER counts as NUMERIC, because the two differ only in a CAST
    (https://www.sqlite.org/datatype3.html#type_affinity). In a STRICT table, ANY converts nothing, like BLOB
    (https://www.sqlite.org/stricttables.html).
    """
    text = (declared or "").upper()
    if strict and text == "ANY":
        return "BLOB"
    if "INT" in text:
        return "NUMERIC"
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not text or "BLOB" in text:
        return "BLOB"
    if any(word in text for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"
