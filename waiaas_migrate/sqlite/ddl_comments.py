"""The comments in a CREATE TABLE, and what each speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from waiaas_migrate.sqlite.grammar import Kind, Token

#: Comments that are there for yoyo's splitter (see :mod:`waiaas_migrate.sqlite.spelling`).
_RESYNCHRONISING = ("/*'*/", '/*"*/')


def comments(tokens: Sequence[Token]) -> tuple[str | None, dict[int, str]]:
    """The table's comment, and that of each part of its body by the part's number (columns and constraints, from 0).

    A comment behind something on its line speaks of that; one on a line of its own speaks of what follows.
    """
    found: dict[int, list[str]] = {}
    depth, part = 0, -1  # the part before the body is the table itself
    behind = -1
    for at, token in enumerate(tokens):
        if token.kind is Kind.COMMENT:
            speaks_of = behind if not token.fresh else _following(tokens[at:], depth, part)
            if speaks_of is not None and token.text not in _RESYNCHRONISING:
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


def _following(tokens: Sequence[Token], depth: int, part: int) -> int | None:
    """The part that comes next; None where the body ends."""
    following = next((token for token in tokens if token.kind is not Kind.COMMENT), None)
    if following is None or (depth == 1 and following.word == ")"):
        return None
    return part


def _said(text: str) -> str:
    if text.startswith("--"):
        return text.lstrip("-").strip()
    lines = text.removeprefix("/*").removesuffix("*/").strip().splitlines()
    return "\n".join(line.strip().removeprefix("* ").strip() for line in lines)
