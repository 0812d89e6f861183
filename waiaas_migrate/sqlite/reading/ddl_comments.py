"""The comments in a CREATE TABLE, and what each speaks of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from waiaas_migrate.sqlite.reading.grammar import Kind, Token

#: Comments that are there for yoyo's splitter (see :mod:`waiaas_migrate.sqlite.reading.spelling`).
_RESYNCHRONISING = re.compile(r"/\*['\"]+\*/")


def comments(tokens: Sequence[Token]) -> tuple[str | None, dict[int, str]]:
    """The table's comment, and that of each part of its body by the part's number (columns and constraints, from 0).

    A comment behind something on its line speaks of that; one on a line of its own speaks of what follows.
    """
    found: dict[int, list[str]] = {}
    depth, part = 0, -1  # the part before the body is the table itself
    behind = -1
    for token, following in zip(tokens, _following(tokens), strict=True):
        if token.kind is Kind.COMMENT:
            ends = following is None or (depth == 1 and following.word == ")")
            speaks_of = behind if not token.fresh else None if ends else part
            if speaks_of is not None and not _RESYNCHRONISING.fullmatch(token.text):
                found.setdefault(speaks_of, []).append(_said(token.text))
            continue
        behind = part
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "(" and depth == 1:
            part = 0
        elif token.word == "," and depth == 1:
            part += 1
    spoken = {number: "\n".join(lines) for number, lines in found.items() if any(lines)}
    return spoken.pop(-1, None), spoken


def _following(tokens: Sequence[Token]) -> list[Token | None]:
    """For each token, the next one at or after it that is no comment; None where there is none."""
    following: list[Token | None] = []
    latest = None
    for token in reversed(tokens):
        latest = latest if token.kind is Kind.COMMENT else token
        following.append(latest)
    return following[::-1]


def _said(text: str) -> str:
    if text.startswith("--"):
        return text.lstrip("-").strip()
    lines = text.removeprefix("/*").removesuffix("*/").strip().splitlines()
    return "\n".join(line.strip().removeprefix("* ").strip() for line in lines)
