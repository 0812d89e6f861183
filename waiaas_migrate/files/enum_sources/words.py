"""Split names into words, to recognize names of the same thing, such as ``CHAIN_TYPES`` and ``ChainType``."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def split_words(name: str) -> tuple[str, ...]:
    """Return the words of ``name`` in lower case."""
    return tuple(word.lower() for word in _WORD.findall(name))


def words_of(*names: str) -> frozenset[str]:
    """Return the words of ``names`` in lower case, without the endings of plurals."""
    return frozenset(_stem(word) for name in names for word in split_words(name))


def _stem(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word.removesuffix("es").removesuffix("s") if word.endswith(("ses", "xes")) else word.removesuffix("s")
