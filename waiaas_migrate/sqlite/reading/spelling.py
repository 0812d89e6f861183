r"""SQL text as it is written back: the author's own, in a spelling that yoyo's splitter reads as SQLite does.

yoyo splits a file with sqlparse, which knows procedural languages and backslash escapes that SQLite does not have:
a column named ``loop`` without quotes, or the string ``'\'``, hide the end of a statement from it. Only such tokens
are touched here; whatever still is misread is found when a migration is proved.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

from waiaas_migrate.sqlite.quoting import quote_literal, quote_name
from waiaas_migrate.sqlite.reading.grammar import Kind, Token, tokenize

#: Words that open or close a block to sqlparse, and are never keywords inside a SQLite expression or trigger body.
_BLOCK_WORDS = frozenset({"BEGIN", "DECLARE", "DO", "FOR", "GO", "IF", "LOOP", "WHILE"})

_TAB = 4


def spell(tokens: Sequence[Token]) -> str:
    """``tokens`` on one line, single spaces where there was white space or a comment, comments left out."""
    parts: list[str] = []
    cases = 0
    previous: Token | None = None
    for token in tokens:
        if token.kind is Kind.COMMENT:
            continue
        closes = token.word == "END" and cases > 0 and _is_operand(previous)
        cases += (token.word == "CASE") - closes
        text = _quoted(token) if _is_misread(token, closes=closes) else _resynchronised(token)
        parts.append(f" {text}" if token.spaced and parts else text)
        previous = token
    return "".join(parts)


def spell_statement(tokens: Sequence[Token], source: str) -> str:
    """The text of a whole statement, lines and comments as they were, with only misread tokens respelt."""
    body_starts = next((at for at, token in enumerate(tokens) if token.word == "BEGIN"), len(tokens))
    is_trigger = any(token.word == "TRIGGER" for token in tokens[:4])
    pieces: list[str] = []
    position = cases = 0
    previous: Token | None = None
    for at, token in enumerate(tokens):
        start = source.index(token.text, position)
        pieces.append(source[position:start])
        position = start + len(token.text)
        if token.kind is Kind.COMMENT:
            pieces.append(token.text)
            continue
        closes = token.word == "END" and (at == len(tokens) - 1 or (cases > 0 and _is_operand(previous)))
        cases += (token.word == "CASE") - (token.word == "END" and closes)
        structural = is_trigger and (at <= body_starts or token.word == "DO")
        misread = not structural and _is_misread(token, closes=closes)
        pieces.append(_quoted(token) if misread else _resynchronised(token))
        previous = token
    return "".join(pieces).strip()


def tidied(sql: str) -> str:
    """A statement with the white space between its tokens made plain: no tabs, no spaces at the end of a line.

    Raises:
        SqlError: where it does not consist of tokens.
    """
    pieces: list[str] = []
    position = 0
    for token in tokenize(sql):
        start = sql.index(token.text, position)
        gap = sql[position:start]
        pieces.append(_plain_space(gap.replace("\r", "" if "\n" in gap else "\n")))
        # A comment ends at a newline only: a carriage return in it must not become one.
        is_comment = token.kind is Kind.COMMENT
        pieces.append(_plain_space(token.text.replace("\r", " ") + "\n")[:-1] if is_comment else token.text)
        position = start + len(token.text)
    return "".join(pieces)


def _plain_space(text: str) -> str:
    """``text`` without tabs and without spaces at the ends of its lines, the last one excepted."""
    lines = text.replace("\f", " ").expandtabs(_TAB).split("\n")
    return "\n".join([*(line.rstrip(" ") for line in lines[:-1]), lines[-1]])


def _is_misread(token: Token, *, closes: bool) -> bool:
    return token.word in _BLOCK_WORDS or (token.word == "END" and not closes)


def _is_operand(token: Token | None) -> bool:
    """Whether an expression may end in ``token``, so that END behind it closes a CASE."""
    if token is None:
        return False
    if token.kind is Kind.WORD:
        return token.word not in {
            "AND",
            "BETWEEN",
            "CASE",
            "ELSE",
            "IN",
            "IS",
            "LIKE",
            "GLOB",
            "NOT",
            "OR",
            "THEN",
            "WHEN",
        }
    return token.kind is not Kind.SYMBOL or token.text == ")"


def _quoted(token: Token) -> str:
    return '"' + token.text + '"'


def _resynchronised(token: Token) -> str:
    return resynchronised(token.text) if token.kind in (Kind.STRING, Kind.NAME) else token.text


def resynchronised(text: str) -> str:
    """A string or quoted name, and behind it a comment with a quote where sqlparse would take its end for escaped."""
    if "\\" not in text:
        return text
    return next((text + comment for comment in _RESYNCHRONISING if _is_read_whole(text + comment)), text)


def spelled_name(name: str) -> str:
    """``name`` as an SQL identifier that sqlparse reads as SQLite does."""
    return resynchronised(quote_name(name))


def spelled_value(value: str | int | None) -> str:
    """``value`` as an SQL literal that sqlparse reads as SQLite does."""
    return resynchronised(quote_literal(value))


#: What may stand behind a misread token: a quote that ends what sqlparse believes to be open, and is nothing to SQLite.
_RESYNCHRONISING = (
    "",
    *(f"{space}/*{''.join(quotes)}*/" for n in range(1, 5) for quotes in product("'\"", repeat=n) for space in " \n"),
)
_BEHIND = (";", " ", "'a'", " ", '"b"', " ", ";")


@lru_cache(maxsize=1024)
def _is_read_whole(text: str) -> bool:
    """Whether sqlparse, which yoyo splits with, reads what stands behind ``text`` for what it is."""
    from sqlparse.lexer import tokenize

    tokens = [value for _, value in tokenize(text + "".join(_BEHIND))]
    return tuple(tokens[-len(_BEHIND) :]) == _BEHIND
