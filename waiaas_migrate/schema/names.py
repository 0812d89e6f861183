"""Fold names, because SQLite ignores the case of ASCII letters in them."""

from __future__ import annotations

import string
from functools import lru_cache

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


# Cached, because a schema has few names and they are compared often.
@lru_cache(maxsize=1 << 14)
def fold(name: str) -> str:
    """Return ``name`` with ASCII letters in lower case, as SQLite compares names."""
    return name.lower() if name.isascii() else name.translate(_LOWER)
