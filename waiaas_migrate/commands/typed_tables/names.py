"""Choose Python names for tables, columns and relationships."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from keyword import iskeyword

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\WA-Z_]+", re.UNICODE)
#: Irregular plurals, and nouns for which the rules in ``_ENDINGS`` would be wrong.
_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "indices": "index",
    **{word: word.removesuffix("s") for word in "apis caches cookies menus movies houses causes clauses uses".split()},
    **{word: word for word in "series species news".split()},
}
#: Endings of plurals and of their singulars; the first that matches counts. So "statuses" loses "es", "databases" "s".
_ENDINGS = (
    (r"(?<=..)ies$", "y"),
    (r"(?<=ss|sh|ch|us)es$", ""),
    (r"(?<=x)es$", ""),
    (r"(?<=[^siu])s$", ""),
)

#: Attributes that SQLAlchemy defines in every class (https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html).
_RESERVED = frozenset({"metadata", "registry"})


def class_name(table: str) -> str:
    """Return a name for the class of the rows of ``table``: AuditLog for ``audit_log``, Agent for ``agents``."""
    words = _WORD.findall(table)
    if words:
        words[-1] = singular(words[-1])
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if name.isidentifier() and not iskeyword(name) else f"Table{name}"


def singular(word: str) -> str:
    """Return the singular of an English noun; a rare plural may come back unchanged."""
    lower = word.lower()
    if lower in _IRREGULAR:
        return word[:1] + _IRREGULAR[lower][1:]
    for pattern, end in _ENDINGS:
        if re.search(pattern, lower):
            return re.sub(pattern, end, word)
    return word


def snake_case(name: str) -> str:
    """Return ``name`` in lower case, with underscores between its words."""
    return "_".join(word.lower() for word in _WORD.findall(name)) or "_"


def attribute_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, changed if it isn't a valid name for an attribute or if it is in ``taken``."""
    attribute = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name))
    if not attribute.isidentifier() or not attribute.strip("_") or attribute.startswith(("__", "_sa_")):
        attribute = f"column_{attribute.strip('_')}"
    return free_name(f"{attribute}_" if iskeyword(attribute) or attribute in _RESERVED else attribute, taken)


def free_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, with trailing underscores if it is in ``taken``."""
    while name in taken:
        name += "_"
    return name
