"""Split SQL into tokens and compute its meaning, with SQLite's own grammar.

Only this module imports syntaqlite, which provides the grammar. Its tokens keep the author's text; its trees keep only
the meaning, without positions in the text. So ``ddl.py`` reads CREATE statements from tokens. Trees are only compared
with each other, or searched for literals.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import cache, lru_cache
from typing import Any, NamedTuple

import syntaqlite

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_name, unquote

#: The depth of the deepest tree that is parsed. The parser is recursive without a limit: a tree much deeper than
#: SQLite allows (1000 levels, https://www.sqlite.org/limits.html#max_expr_depth) crashes the process. This limit is
#: lower, because Python's JSON reader is recursive too, and the caller may already be deep in calls.
_MAX_DEPTH = 400
#: The most levels that a parenthesis adds to a tree: a subquery, its columns, their list, a column …
_LEVELS_OF_PARENTHESIS = 6
#: The most levels that a CASE adds to a tree.
_LEVELS_OF_CASE = 3


class SqlError(ValueError):
    """A text is not the SQL that its reader expects; the message says why."""


class Kind(Enum):
    """The kind of a token."""

    WORD = "word"  # a keyword, or a name without quotes
    NAME = "name"  # a name in double quotes, brackets or backticks
    STRING = "string"
    VALUE = "value"  # a number or a blob
    SYMBOL = "symbol"  # an operator, a parenthesis, a comma …
    COMMENT = "comment"


class Token(NamedTuple):
    """A word, name, literal, symbol or comment of a statement.

    Args:
        kind: the kind of the token.
        text: the token as the author wrote it.
        spaced: whether white space or a comment comes before the token.
        before: the white space before the token.
        start: the position of the token's first character in the statement.
    """

    kind: Kind
    text: str
    spaced: bool = False
    before: str = ""
    start: int = 0

    @property
    def word(self) -> str:
        """The upper-case word, or the symbol itself; empty for quoted names, strings and values."""
        if self.kind is Kind.WORD:
            return self.text.upper()
        return self.text if self.kind is Kind.SYMBOL else ""

    @property
    def name(self) -> str:
        """The text of this token without quotes."""
        return unquote(self.text)

    @property
    def is_name(self) -> bool:
        """Whether this token may be a name: a word, or a name in quotes."""
        return self.kind in (Kind.WORD, Kind.NAME)

    @property
    def end(self) -> int:
        """The position after this token's last character in the statement."""
        return self.start + len(self.text)


#: Threads take turns with the parser, which only one thread at a time may use.
_PARSER_LOCK = threading.Lock()


@cache
def _parser() -> syntaqlite.Syntaqlite:
    return syntaqlite.Syntaqlite()


def _raw_tokens(sql: str) -> list[dict[str, Any]]:
    if "\0" in sql:
        raise SqlError("the text contains a NUL character")
    try:
        sql.encode("utf-8")
    except UnicodeEncodeError:
        raise SqlError("the text contains a lone surrogate, which is not a character") from None
    with _PARSER_LOCK:
        return list(_parser().tokenize(sql))


def tokenize(sql: str) -> tuple[Token, ...]:
    """Return the tokens of ``sql``, including comments; each has the white space before it.

    Raises:
        SqlError: a part of ``sql`` is not a token, such as an unterminated string.
    """
    found: list[Token] = []
    position, before, after_comment = 0, "", False
    for raw in _raw_tokens(sql):
        text, category = raw["text"], raw["category"]
        start, position = position, position + len(text)
        if category == "other" and not text.strip(" \t\r\n\f"):
            before = text
            continue
        kind = _kind(text, category)
        if kind is None:
            raise SqlError(f"unrecognized text {text[:40]!r}")
        found.append(Token(kind, text, before != "" or after_comment, before, start))
        before, after_comment = "", kind is Kind.COMMENT
    return tuple(found)


#: The kinds of tokens by syntaqlite's categories. COLUMN, ISNULL and NOTNULL are words in none of these categories.
_KINDS = {
    "comment": Kind.COMMENT,
    "string": Kind.STRING,
    "number": Kind.VALUE,
    **dict.fromkeys(("keyword", "identifier", "function", "type"), Kind.WORD),
    **dict.fromkeys(("operator", "punctuation", "parameter"), Kind.SYMBOL),
}


def _kind(text: str, category: str) -> Kind | None:
    kind = _KINDS.get(category, Kind.WORD if text.isascii() and text.isalpha() else None)
    if kind is Kind.STRING and not text.startswith("'"):
        return Kind.VALUE  # a blob
    return Kind.NAME if kind is Kind.WORD and text[:1] in '"[`' else kind


def without_comments(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Return ``tokens`` without the comments."""
    return tuple(token for token in tokens if token.kind is not Kind.COMMENT)


def meaning(tokens: Sequence[Token], *, statement: bool, names: frozenset[str] = frozenset()) -> str:
    """Return the meaning of SQL as canonical text: equal texts mean the same.

    Spacing, comments, quotes, the case of keywords and names, and redundant parentheses don't matter. ``tokens`` are a
    statement or an expression. ``names`` are the folded names that a word in double quotes can refer to. Any other word
    in double quotes may be a string, so its case matters
    (https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted).

    Raises:
        SqlError: ``tokens`` are not one expression, or not one statement.
    """
    normalized = " ".join(_normalized(token, names) for token in without_comments(tokens))
    return _meaning(normalized, statement)


def _normalized(token: Token, names: frozenset[str]) -> str:
    """Return a token as text for the parser, without differences in case and quotes."""
    if token.kind is not Kind.NAME:
        return token.text
    if token.text == '""':
        return "''"  # no column has an empty name, so this is a string
    folded = fold(token.name)
    if token.text[0] == '"' and names and folded not in names and folded != token.name:
        return f'"string {token.name.encode().hex()}"'
    return quote_name(folded)


@lru_cache(maxsize=8192)
def _meaning(sql: str, statement: bool) -> str:  # noqa: FBT001 — positional, so that equal calls share a cache entry
    tokens = _raw_tokens(sql)
    if _max_depth(tokens) > _MAX_DEPTH:
        texts = [raw["text"] for raw in tokens if raw["category"] != "other"]
        return " ".join(text if text[:1] in "'\"" else fold(text) for text in texts)
    try:
        with _PARSER_LOCK:
            trees = _parser().parse_raw(sql if statement else f"SELECT (\n{sql}\n)")
    except syntaqlite.SyntaqliteError as error:
        raise SqlError(f"syntax error: {error}") from None
    if len(trees) != 1 or not isinstance(trees[0], dict):
        raise SqlError("syntax error")
    return _canonical_text(trees[0] if statement else _only_expression(trees[0]))


#: syntaqlite's categories of tokens that don't make a tree deeper. The category "other" includes white space, and
#: ISNULL and NOTNULL, which are operators.
_LEAVES = frozenset({"identifier", "number", "string", "comment", "punctuation", "parameter", "function", "type"})
#: Words after which each comma makes the tree one level deeper, as an operator does.
_DEEPENS_COMMAS = frozenset({"FROM", "UNION", "INTERSECT", "EXCEPT"})


def _max_depth(tokens: Sequence[dict[str, Any]]) -> int:
    """Return an upper bound for the depth of the tree of ``tokens``."""
    # For each open parenthesis: the level at which its content starts, and whether commas deepen the tree there.
    bases, level, deepest, commas_deepen = [0], 0, 0, [False]
    for raw in tokens:
        word = raw["text"].upper()
        if word == "(":
            level += _LEVELS_OF_PARENTHESIS
            bases.append(level)
            commas_deepen.append(False)
        elif word == ")" and len(bases) > 1:
            level = bases.pop() - _LEVELS_OF_PARENTHESIS
            commas_deepen.pop()
        elif word == ";" or (word == "," and not commas_deepen[-1]):
            level = bases[-1]
            commas_deepen[-1] = False
        elif word.strip() and (word == "," or raw["category"] not in _LEAVES):
            level += _LEVELS_OF_CASE if word == "CASE" else 1
            commas_deepen[-1] = commas_deepen[-1] or word in _DEEPENS_COMMAS
        deepest = max(deepest, level)
    return deepest


def _only_expression(tree: dict[str, Any]) -> object:
    """Return the expression in the tree of ``SELECT (expression)``; reject any other SELECT."""
    columns = (tree.get("columns") or {}).get("children") or []
    other_clauses = [key for key, value in tree.items() if value and key not in ("type", "columns")]
    if tree.get("type") != "SelectStmt" or other_clauses or len(columns) != 1 or columns[0]["alias"] is not None:
        raise SqlError("the text is not one expression")
    inner = columns[0]["expr"]
    if inner.get("type") == "RowValue":
        raise SqlError("the text is a list, not one expression")
    return inner


#: The keys of tree nodes whose values are names.
_NAMES = frozenset(
    "base_window_name collation collation_name column cte_name func_name index_name match_name module_name name "
    "over_name ref_table ref_window_name schema table table_name target_name trigger_name view_name window_name".split()
)
#: The keys of tree nodes that record only how the author wrote something.
_SPELLING = frozenset({"bare_source", "default_has_parens", "if_not_exists"})


class _Text(str):
    """A piece of JSON text that is ready for output."""

    __slots__ = ()


def _canonical_text(tree: object) -> str:
    """Return ``tree`` as JSON, with folded names and without redundant parentheses."""
    # Use a stack instead of recursion, because the caller may already be deep in calls.
    pieces: list[str] = []
    stack: list[object] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, _Text):
            pieces.append(node)
        elif isinstance(node, dict) and node.get("type") == "ParenExpr":
            stack.append(node["expr"])
        elif isinstance(node, dict):
            keys = [key for key in sorted(node) if key not in _SPELLING]
            members = [(_Text(f'"{key}":'), _without_spelling(node, key)) for key in keys]
            stack += reversed(_joined("{", members, "}"))
        elif isinstance(node, list):
            stack += reversed(_joined("[", [(item,) for item in node], "]"))
        else:
            pieces.append(json.dumps(node, ensure_ascii=False))
    return "".join(pieces)


def _joined(opening: str, parts: Iterable[tuple[object, ...]], closing: str) -> list[object]:
    separated = [piece for part in parts for piece in (_Text(","), *part)][1:]
    return [_Text(opening), *separated, _Text(closing)]


def _without_spelling(node: dict[str, Any], key: str) -> object:
    """Return the value of ``key`` in a tree node, with names folded and without quotes."""
    value = node[key]
    if not isinstance(value, str):
        return value
    if key in _NAMES or (key == "source" and node.get("type") == "IdentName"):
        return fold(unquote(value))
    if key == "type_name":
        return " ".join(value.upper().split())
    return fold(value) if key == "source" and not value.startswith("'") else value
