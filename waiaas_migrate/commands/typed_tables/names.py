"""Choose Python names for tables, columns and relationships."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from keyword import iskeyword

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+", re.UNICODE)
#: The plurals that the rules below get wrong.
_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "indices": "index",
    **{word: word.removesuffix("s") for word in "apis caches cookies menus movies houses causes clauses uses".split()},
    **{word: word for word in "series species news".split()},
}
#: The end of a plural, and of its singular. The first that matches counts: statuses, but databases.
_ENDINGS = tuple(
    (re.compile(pattern), end)
    for pattern, end in (
        (r"(?<=..)ies$", "y"),
        (r"(?<=ss|sh|ch|us)es$", ""),
        (r"(?<=x)es$", ""),
        (r"(?<=[^siu])s$", ""),
    )
)

#: Taken by SQLAlchemy in every class (https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html).
RESERVED = frozenset({"metadata", "registry"})


def class_name(table: str) -> str:
    """Return the name of the class for the rows of ``table``: ``audit_log`` gives AuditLog, ``agents`` Agent."""
    words = _WORD.findall(table)
    if words:
        words[-1] = singular(words[-1])
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if name.isidentifier() and not iskeyword(name) else f"Table{name}"


def singular(word: str) -> str:
    """Return the singular of an English noun, as well as a few rules can."""
    lower = word.lower()
    if lower in _IRREGULAR:
        return word[:1] + _IRREGULAR[lower][1:]
    for pattern, end in _ENDINGS:
        if pattern.search(lower):
            return pattern.sub(end, word)
    return word


def snake_case(name: str) -> str:
    """Return ``name`` in lower case, with underscores between its words."""
    return "_".join(word.lower() for word in _WORD.findall(name)) or "_"


def attribute_name(name: str, taken: Container[str]) -> str:
    """Return ``name`` as a Python name that is not ``taken``: the same if possible, else with a trailing underscore."""
    found = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name))
    if not found.isidentifier() or not found.strip("_") or found.startswith(("__", "_sa_")):
        found = f"column_{found.strip('_')}"
    return free_name(f"{found}_" if iskeyword(found) or found in RESERVED else found, taken)


def free_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, with trailing underscores until it is not ``taken``."""
    while name in taken:
        name += "_"
    return name
