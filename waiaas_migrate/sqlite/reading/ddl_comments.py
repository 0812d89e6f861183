"""Find the comments in a CREATE TABLE, and the column or constraint that each describes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from waiaas_migrate.sqlite.reading.grammar import Kind, Token

#: Comments written for yoyo's splitter (see :mod:`waiaas_migrate.sqlite.reading.spelling`).
_RESYNCHRONIZING = re.compile(r"/\*['\"]+\*/")


def comments(tokens: Sequence[Token]) -> tuple[str | None, dict[int, str]]:
    """Return the table's comment, and the comments on the parts of its body (columns and constraints) by their number.

    A comment after something on its line describes that; one on a line of its own describes what follows.
    """
    found: dict[int, list[str]] = {}
    pending: list[str] = []  # on lines of their own, before what they describe
    depth, part = 0, -1  # the part before the body is the table itself
    last_part = -1
    is_new_line = False
    for token in tokens:
        is_new_line = is_new_line or "\n" in token.before
        if token.kind is Kind.COMMENT:
            if not _RESYNCHRONIZING.fullmatch(token.text):
                (pending if is_new_line else found.setdefault(last_part, [])).append(_text(token.text))
            is_new_line = token.text.startswith("--")
            continue
        if pending and not (depth == 1 and token.word == ")"):
            found.setdefault(part, []).extend(pending)
        pending, is_new_line, last_part = [], False, part
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "(" and depth == 1:
            part = 0
        elif token.word == "," and depth == 1:
            part += 1
    texts = {number: "\n".join(lines) for number, lines in found.items() if any(lines)}
    return texts.pop(-1, None), texts


def _text(comment: str) -> str:
    if comment.startswith("--"):
        return comment.lstrip("-").strip()
    lines = comment.removeprefix("/*").removesuffix("*/").strip().splitlines()
    return "\n".join(line.strip().removeprefix("* ").strip() for line in lines)
