r"""Write SQL text that yoyo's statement splitter reads as SQLite does.

yoyo splits a migration into statements with sqlparse. Unlike SQLite, sqlparse knows backslash escapes and the blocks of
procedural languages. So a column named ``loop`` without quotes, or the string ``'\'``, hides the end of a statement.
This module changes only such tokens. ``generate`` checks that yoyo reads each migration as SQLite does, which finds any
other text that sqlparse misreads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

from waiaas_migrate.sqlite.quoting import quote_literal, quote_name
from waiaas_migrate.sqlite.reading.grammar import Kind, Token, tokenize, without_comments

#: Words that open or close a block for sqlparse. In SQLite, they are never keywords inside an expression or the body of
#: a trigger, except DO in an upsert.
_BLOCK_WORDS = frozenset({"BEGIN", "DECLARE", "DO", "FOR", "GO", "IF", "LOOP", "WHILE"})
#: Words before an operand. After these words, END is a name, because it can't close a CASE.
_BEFORE_OPERANDS = frozenset("AND BETWEEN CASE ELSE IN IS LIKE GLOB NOT OR THEN WHEN".split())


def spell(tokens: Sequence[Token]) -> str:
    """Return ``tokens`` as text on one line, with a single space for white space and comments."""
    tokens = without_comments(tokens)
    texts = _spelled(tokens)
    return "".join(f" {text}" if token.spaced else text for token, text in zip(tokens, texts, strict=True)).lstrip(" ")


def spell_statement(tokens: Sequence[Token]) -> str:
    """Return a statement as written, except for tokens that sqlparse misreads."""
    body_starts = next((at for at, token in enumerate(tokens) if token.word == "BEGIN"), len(tokens))
    is_trigger = any(token.word == "TRIGGER" for token in tokens[:4])
    # sqlparse knows the blocks of CREATE TRIGGER, so the keywords around the body, and DO, stay as written.
    keywords = frozenset(
        at
        for at, token in enumerate(tokens)
        if (is_trigger and (at <= body_starts or token.word == "DO")) or (token.word == "END" and at == len(tokens) - 1)
    )
    texts = _spelled(tokens, keywords)
    return "".join(token.before + text for token, text in zip(tokens, texts, strict=True)).strip()


def _spelled(tokens: Sequence[Token], keywords: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield the text of each token; quote misread words, except at the indexes ``keywords``."""
    open_cases = 0
    previous: Token | None = None
    for at, token in enumerate(tokens):
        if token.kind is Kind.COMMENT:
            yield token.text
            continue
        closes_case = token.word == "END" and open_cases > 0 and _ends_operand(previous)
        open_cases += (token.word == "CASE") - closes_case
        is_misread = token.word in _BLOCK_WORDS or (token.word == "END" and not closes_case)
        if is_misread and at not in keywords:
            yield f'"{token.text}"'
        else:
            yield with_closing_comment(token.text) if token.kind in (Kind.STRING, Kind.NAME) else token.text
        previous = token


def tidy_whitespace(sql: str) -> str:
    """Replace tabs and carriage returns, and remove trailing spaces, except in strings and names.

    Raises:
        SqlError: a part of ``sql`` is not a token.
    """
    pieces: list[str] = []
    for token in tokenize(sql):
        pieces.append(_tidy_lines(token.before.replace("\r", "" if "\n" in token.before else "\n")))
        # Only a newline ends a comment, so a carriage return in a comment must not become one.
        is_comment = token.kind is Kind.COMMENT
        pieces.append(_tidy_lines(token.text.replace("\r", " ") + "\n")[:-1] if is_comment else token.text)
    return "".join(pieces)


def _tidy_lines(text: str) -> str:
    """Replace tabs and form feeds in ``text``, and remove spaces at the ends of all lines but the last."""
    lines = text.replace("\f", " ").expandtabs(4).split("\n")
    return "\n".join([*(line.rstrip(" ") for line in lines[:-1]), lines[-1]])


def _ends_operand(token: Token | None) -> bool:
    """Return whether an operand may end in ``token``, so that END may close a CASE after it."""
    if token is None or token.kind is Kind.WORD:
        return token is not None and token.word not in _BEFORE_OPERANDS
    return token.kind is not Kind.SYMBOL or token.text == ")"


#: Comments to try after a string. If sqlparse believes that the string is still open, a quote in the comment closes it.
_CLOSING_COMMENTS = (
    "",
    *(f"{space}/*{''.join(quotes)}*/" for n in range(1, 5) for quotes in product("'\"", repeat=n) for space in " \n"),
)
#: Tokens that sqlparse misreads after a string that it believes to be still open.
_PROBE = (";", " ", "'a'", " ", '"b"', " ", ";")


def with_closing_comment(text: str) -> str:
    """Append a comment to a quoted text if sqlparse would read its closing quote as escaped."""
    if "\\" not in text:
        return text
    return next((text + comment for comment in _CLOSING_COMMENTS if _is_closed(text + comment)), text)


@lru_cache(maxsize=1024)
def _is_closed(text: str) -> bool:
    from sqlparse.lexer import tokenize

    tokens = [value for _, value in tokenize(text + "".join(_PROBE))]
    return tuple(tokens[-len(_PROBE) :]) == _PROBE


def sql_name(name: str) -> str:
    """Return ``name`` as an SQL identifier that sqlparse reads as SQLite does."""
    return with_closing_comment(quote_name(name))


def sql_value(value: str | int | None) -> str:
    """Return ``value`` as an SQL literal that sqlparse reads as SQLite does."""
    return with_closing_comment(quote_literal(value))
