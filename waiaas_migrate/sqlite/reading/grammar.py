"""SQLite's own tokenizer and parser, from the syntaqlite package. Only this module imports it.

Tokens keep the author's text; trees keep the meaning. A parsed tree has no positions in the text, so ``ddl.py`` reads
the structure of CREATE statements from tokens, and trees only show whether two expressions mean the same.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import cache, lru_cache
from typing import Any, NamedTuple

import syntaqlite

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import is_reserved, unquote

#: The parser is recursive without a limit: a tree much deeper than SQLite allows (SQLITE_MAX_EXPR_DEPTH is 1000,
#: https://www.sqlite.org/limits.html#max_expr_depth) crashes the process. This limit is lower, because Python's JSON
#: reader is recursive too, and the caller may already be deep in calls.
_DEEPEST_TREE = 400
#: The levels of a tree that a parenthesis may add: a subquery, its columns, their list, a column …
_LEVELS_OF_PARENTHESIS = 6
_LEVELS_OF_CASE = 3


class SqlError(ValueError):
    """SQLite's grammar does not accept the text; the message says why."""


class Kind(Enum):
    """The kind of a token."""

    WORD = "word"  # a keyword, or a name without quotes
    NAME = "name"  # a name in double quotes, brackets or backticks
    STRING = "string"
    VALUE = "value"  # a number or a blob
    SYMBOL = "symbol"  # an operator, a parenthesis, a comma …
    COMMENT = "comment"


class Token(NamedTuple):
    """A token of a statement.

    ``start`` is its position, and ``before`` the white space before it. ``spaced``: white space or a comment comes
    before it.
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
        """The name that this token spells, without its quotes."""
        return unquote(self.text)

    @property
    def is_name(self) -> bool:
        """Whether this may be a name: a word, or a name in quotes."""
        return self.kind in (Kind.WORD, Kind.NAME)

    @property
    def end(self) -> int:
        """The position after its last character."""
        return self.start + len(self.text)


#: The parser can't be used by several threads at once.
_PARSER_LOCK = threading.Lock()


@cache
def _parser() -> syntaqlite.Syntaqlite:
    return syntaqlite.Syntaqlite()


def _raw_tokens(sql: str) -> list[dict[str, Any]]:
    if "\0" in sql:
        raise SqlError("it contains a NUL character")
    try:
        sql.encode("utf-8")
    except UnicodeEncodeError:
        raise SqlError("it contains a lone surrogate, which is not a character") from None
    with _PARSER_LOCK:
        return list(_parser().tokenize(sql))


def tokenize(sql: str) -> tuple[Token, ...]:
    """Return the tokens of ``sql``, with its comments but without white space.

    Raises:
        SqlError: some text is not a token, such as an unterminated string.
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


#: The kinds of tokens by syntaqlite's categories. COLUMN, ISNULL and NOTNULL have no category.
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
    """Return the meaning of an expression or a statement as text: equal text, equal meaning.

    Spacing, comments, quotes, the case of keywords and names, and redundant parentheses don't count. ``names`` are
    the folded names that a name in double quotes can refer to. Any other name in double quotes may be a string, so it
    keeps its case (https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted).

    Raises:
        SqlError: it is not an expression, or not a single statement.
    """
    plain = " ".join(_plain(token, names) for token in tokens if token.kind is not Kind.COMMENT)
    return _meaning(plain, statement)


def _plain(token: Token, names: frozenset[str]) -> str:
    if token.kind is not Kind.NAME:
        return token.text
    if token.text == '""':
        return "''"  # nothing has the empty name
    folded = fold(token.name)
    if token.text[0] == '"' and names and folded not in names and folded != token.name:
        return f'"string {token.name.encode().hex()}"'
    if not is_reserved(folded) and re.fullmatch(r"[a-z_][a-z0-9_]*", folded):
        return folded
    return '"' + folded.replace('"', '""') + '"'


@lru_cache(maxsize=8192)
def _meaning(sql: str, statement: bool) -> str:  # noqa: FBT001  positional, so that one call has one key in the cache
    tokens = _raw_tokens(sql)
    if _depth(tokens) > _DEEPEST_TREE:
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


#: Categories that never make a tree deeper. White space is in the category "other", as are ISNULL and NOTNULL.
_LEAVES = frozenset({"identifier", "number", "string", "comment", "punctuation", "parameter", "function", "type"})
#: After these words, a comma makes the tree deeper as an operator does.
_DEEPENS_COMMAS = frozenset({"FROM", "UNION", "INTERSECT", "EXCEPT"})


def _depth(tokens: Sequence[dict[str, Any]]) -> int:
    """Return an upper bound for the depth of the tree of ``tokens``."""
    bases, level, deepest, joins = [0], 0, 0, [False]
    for raw in tokens:
        word = raw["text"].upper()
        if word == "(":
            level += _LEVELS_OF_PARENTHESIS
            bases.append(level)
            joins.append(False)
        elif word == ")" and len(bases) > 1:
            level = bases.pop() - _LEVELS_OF_PARENTHESIS
            joins.pop()
        elif word == ";" or (word == "," and not joins[-1]):
            level = bases[-1]
            joins[-1] = False
        elif word.strip() and (word == "," or raw["category"] not in _LEAVES):
            level += _LEVELS_OF_CASE if word == "CASE" else 1
            joins[-1] = joins[-1] or word in _DEEPENS_COMMAS
        deepest = max(deepest, level)
    return deepest


def _only_expression(tree: dict[str, Any]) -> object:
    """Return the expression of ``SELECT (expression)``."""
    columns = (tree.get("columns") or {}).get("children") or []
    rest = [key for key, value in tree.items() if value and key not in ("type", "columns")]
    if tree.get("type") != "SelectStmt" or rest or len(columns) != 1 or columns[0]["alias"] is not None:
        raise SqlError("it is not one expression")
    inner = columns[0]["expr"]
    if inner.get("type") == "RowValue":
        raise SqlError("it is a list, not one expression")
    return inner


_NAMES = frozenset(
    {"column", "table", "schema", "func_name", "collation", "collation_name", "table_name", "index_name", "name"}
    | {"view_name", "trigger_name", "module_name", "ref_table", "window_name", "base_window_name", "cte_name"}
    | {"ref_window_name", "over_name", "target_name", "match_name"}
)
_SPELLING = frozenset({"bare_source", "default_has_parens", "if_not_exists"})


class _Text(str):
    """A finished piece of the JSON text."""

    __slots__ = ()


def _canonical_text(tree: object) -> str:
    """Return ``tree`` as JSON, without redundant parentheses and with folded names and keywords.

    It uses its own stack instead of recursion, because the caller may already be deep in calls.
    """
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
    """Return a value of a node without the case and quotes of names."""
    value = node[key]
    if not isinstance(value, str):
        return value
    if key in _NAMES or (key == "source" and node.get("type") == "IdentName"):
        return fold(unquote(value))
    if key == "type_name":
        return " ".join(value.upper().split())
    return fold(value) if key == "source" and not value.startswith("'") else value
