r"""Write the author's SQL text so that yoyo's splitter reads it as SQLite does.

yoyo splits a file with sqlparse, which knows procedural languages and backslash escapes that SQLite doesn't have. A
column named ``loop`` without quotes, or the string ``'\'``, hides the end of a statement from it. Only such tokens are
changed here. The proof of a migration finds any other text that sqlparse misreads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

from waiaas_migrate.sqlite.quoting import quote_literal, quote_name
from waiaas_migrate.sqlite.reading.grammar import Kind, Token, tokenize, without_comments

#: Words that open or close a block for sqlparse, and are never keywords inside an expression or the body of a trigger.
_BLOCK_WORDS = frozenset({"BEGIN", "DECLARE", "DO", "FOR", "GO", "IF", "LOOP", "WHILE"})
#: Words after which an operand follows, so that END can't close a CASE there.
_BEFORE_OPERANDS = frozenset("AND BETWEEN CASE ELSE IN IS LIKE GLOB NOT OR THEN WHEN".split())
_TAB = 4


def spell(tokens: Sequence[Token]) -> str:
    """Return ``tokens`` on one line, with single spaces for white space and comments."""
    tokens = without_comments(tokens)
    texts = _spelled(tokens)
    return "".join(f" {text}" if token.spaced else text for token, text in zip(tokens, texts, strict=True)).lstrip(" ")


def spell_statement(tokens: Sequence[Token]) -> str:
    """Return the text of a whole statement with its lines and comments; only misread tokens are spelled differently."""
    body_starts = next((at for at, token in enumerate(tokens) if token.word == "BEGIN"), len(tokens))
    is_trigger = any(token.word == "TRIGGER" for token in tokens[:4])
    keywords = frozenset(
        at
        for at, token in enumerate(tokens)
        if (is_trigger and (at <= body_starts or token.word == "DO")) or (token.word == "END" and at == len(tokens) - 1)
    )
    texts = _spelled(tokens, keywords)
    return "".join(token.before + text for token, text in zip(tokens, texts, strict=True)).strip()


def _spelled(tokens: Sequence[Token], keywords: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield the text of each token; sqlparse reads the tokens numbered in ``keywords`` correctly."""
    cases = 0
    previous: Token | None = None
    for at, token in enumerate(tokens):
        if token.kind is Kind.COMMENT:
            yield token.text
            continue
        closes = token.word == "END" and cases > 0 and _is_operand(previous)
        cases += (token.word == "CASE") - closes
        is_misread = token.word in _BLOCK_WORDS or (token.word == "END" and not closes)
        if is_misread and at not in keywords:
            yield f'"{token.text}"'
        else:
            yield with_closing_comment(token.text) if token.kind in (Kind.STRING, Kind.NAME) else token.text
        previous = token


def tidy_whitespace(sql: str) -> str:
    """Return a statement without tabs, and without spaces at the ends of lines, except inside its tokens.

    Raises:
        SqlError: it has text that is not a token.
    """
    pieces: list[str] = []
    for token in tokenize(sql):
        pieces.append(_plain_space(token.before.replace("\r", "" if "\n" in token.before else "\n")))
        # Only a newline ends a comment, so a carriage return in a comment must not become one.
        is_comment = token.kind is Kind.COMMENT
        pieces.append(_plain_space(token.text.replace("\r", " ") + "\n")[:-1] if is_comment else token.text)
    return "".join(pieces)


def _plain_space(text: str) -> str:
    """Return ``text`` without tabs, and without spaces at the ends of its lines except the last."""
    lines = text.replace("\f", " ").expandtabs(_TAB).split("\n")
    return "\n".join([*(line.rstrip(" ") for line in lines[:-1]), lines[-1]])


def _is_operand(token: Token | None) -> bool:
    """Return whether an expression may end in ``token``, so that END after it closes a CASE."""
    if token is None or token.kind is Kind.WORD:
        return token is not None and token.word not in _BEFORE_OPERANDS
    return token.kind is not Kind.SYMBOL or token.text == ")"


#: Comments with quotes that close a string that sqlparse believes to be open; SQLite ignores them.
_CLOSING_COMMENTS = (
    "",
    *(f"{space}/*{''.join(quotes)}*/" for n in range(1, 5) for quotes in product("'\"", repeat=n) for space in " \n"),
)
_PROBE = (";", " ", "'a'", " ", '"b"', " ", ";")


def with_closing_comment(text: str) -> str:
    """Return a string or quoted name, followed by a comment if sqlparse would read its last quote as escaped."""
    if "\\" not in text:
        return text
    return next((text + comment for comment in _CLOSING_COMMENTS if _is_read_whole(text + comment)), text)


@lru_cache(maxsize=1024)
def _is_read_whole(text: str) -> bool:
    """Return whether sqlparse correctly reads the tokens after ``text``."""
    from sqlparse.lexer import tokenize

    tokens = [value for _, value in tokenize(text + "".join(_PROBE))]
    return tuple(tokens[-len(_PROBE) :]) == _PROBE


def sql_name(name: str) -> str:
    """Return ``name`` as an SQL identifier that sqlparse reads as SQLite does."""
    return with_closing_comment(quote_name(name))


def sql_value(value: str | int | None) -> str:
    """Return ``value`` as an SQL literal that sqlparse reads as SQLite does."""
    return with_closing_comment(quote_literal(value))
