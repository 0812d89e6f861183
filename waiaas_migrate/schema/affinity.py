"""How values of a declared type are stored."""

from __future__ import annotations

from typing import Literal

Affinity = Literal["TEXT", "BLOB", "REAL", "NUMERIC"]


def affinity(declared: str | None, *, strict: bool = False) -> Affinity:
    """Return the affinity by which a column of the declared type stores its values.

    INTEGER is returned as NUMERIC: both store values alike, and differ only in CAST
    (https://www.sqlite.org/datatype3.html#type_affinity). ANY in a STRICT table converts nothing, like BLOB
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
