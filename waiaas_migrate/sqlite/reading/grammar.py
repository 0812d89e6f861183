"""SQLite's own tokenizer and parser, as the syntaqlite package gives them. No other module touches it.

Tokens keep the author's text; trees keep the meaning. A parsed tree has no text of its own (no positions), which is
why ``ddl.py`` reads the structure of CREATE statements from tokens and asks for trees only
to know whether two expressions mean the same.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cache, lru_cache
from typing import Any, NamedTuple

import syntaqlite

from waiaas_migrate.sqlite.quoting import fold, is_reserved

#: The parser is recursive and has no bound of its own: a tree much deeper than SQLite would allow crashes the process
#: (SQLITE_MAX_EXPR_DEPTH is 1000, https://www.sqlite.org/limits.html#max_expr_depth). This is less, so that a tree
#: comes through Python's JSON reader, which is recursive too, however deep in calls the caller is.
_DEEPEST_TREE = 400
#: How many levels of a tree a parenthesis may open: that of a subquery, its columns, their list, a column …
_LEVELS_OF_PARENTHESIS = 6
_LEVELS_OF_CASE = 3
_COMPOUNDS = frozenset({"UNION", "INTERSECT", "EXCEPT"})


class SqlError(ValueError):
    """SQL text that SQLite's grammar does not accept; the message says why."""


class Kind(Enum):
    """What a token is."""

    WORD = "word"  # a keyword, or a name without quotes
    NAME = "name"  # a name in double quotes, brackets or backticks
    STRING = "string"
    VALUE = "value"  # a number or a blob
    SYMBOL = "symbol"  # an operator, a parenthesis, a comma …
    COMMENT = "comment"


class Token(NamedTuple):
    """A token, and what stood before it.

    ``spaced`` where white space or a comment did, ``fresh`` where a newline did.
    """

    kind: Kind
    text: str
    spaced: bool = False
    fresh: bool = False

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


def unquote(text: str) -> str:
    """``text`` without the quotes of a name or a string (https://www.sqlite.org/lang_keywords.html)."""
    closing = {'"': '"', "`": "`", "[": "]", "'": "'"}.get(text[:1])
    if closing is None:
        return text
    inner = text[1:-1]
    return inner if closing == "]" else inner.replace(closing * 2, closing)


#: The parser is not made for several threads at once.
_one_at_a_time = threading.Lock()


@cache
def _parser() -> syntaqlite.Syntaqlite:
    return syntaqlite.Syntaqlite()


def _raw_tokens(sql: str) -> list[dict[str, Any]]:
    checked = _checked(sql)
    with _one_at_a_time:
        return list(_parser().tokenize(checked))


def _checked(sql: str) -> str:
    """``sql``, if the parser can take it at all."""
    if "\0" in sql:
        raise SqlError("it contains a NUL character")
    try:
        sql.encode("utf-8")
    except UnicodeEncodeError:
        raise SqlError("it contains a lone surrogate, which is no character") from None
    return sql


def tokenize(sql: str) -> tuple[Token, ...]:
    """The tokens of ``sql``, comments among them, white space not.

    Raises:
        SqlError: where a character or a quote that does not end begins no token.
    """
    found: list[Token] = []
    spaced = fresh = False
    for raw in _raw_tokens(sql):
        text, category = raw["text"], raw["category"]
        if category == "other" and not text.strip(" \t\r\n\f"):
            spaced, fresh = True, fresh or "\n" in text
            continue
        kind = _kind(text, category)
        if kind is None:
            raise SqlError(f"unrecognised text {text[:40]!r}")
        found.append(Token(kind, text, spaced, fresh))
        spaced = kind is Kind.COMMENT
        fresh = text.startswith("--")
    return tuple(found)


def _kind(text: str, category: str) -> Kind | None:
    match category:
        case "comment":
            return Kind.COMMENT
        case "string":
            return Kind.STRING if text.startswith("'") else Kind.VALUE
        case "number":
            return Kind.VALUE
        case "keyword" | "identifier" | "function" | "type":
            return Kind.NAME if text[:1] in '"[`' else Kind.WORD
        case "operator" | "punctuation" | "parameter":
            return Kind.SYMBOL
        case _:
            # COLUMN, ISNULL and NOTNULL are words too, which the tokenizer puts in no category.
            return Kind.WORD if text.isascii() and text.isalpha() else None


def significant(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """``tokens`` without the comments."""
    return tuple(token for token in tokens if token.kind is not Kind.COMMENT)


def meaning(tokens: Sequence[Token], *, statement: bool, names: frozenset[str] = frozenset()) -> str:
    """The meaning of an expression or a statement as text: equal text, equal meaning.

    Spacing, comments, quotes, the case of keywords and names, and redundant parentheses do not count. ``names`` are
    the folded names that a name in double quotes may mean; any other may be a string to SQLite, and keeps its case
    (https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted).

    Raises:
        SqlError: where it is no expression, or no single statement.
    """
    spelled = " ".join(_plain(token, names) for token in tokens if token.kind is not Kind.COMMENT)
    return _meaning(spelled, statement)


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
def _meaning(spelled: str, statement: bool) -> str:  # noqa: FBT001  positional, so that the cache sees one spelling
    tokens = _raw_tokens(spelled)
    if _deepest(tokens) > _DEEPEST_TREE:
        return " ".join(_folded(raw) for raw in tokens if raw["category"] != "other")
    try:
        with _one_at_a_time:
            trees = _parser().parse_raw(spelled if statement else f"SELECT (\n{spelled}\n)")
    except syntaqlite.SyntaqliteError as error:
        raise SqlError(f"syntax error: {error}") from None
    if len(trees) != 1 or not isinstance(trees[0], dict):
        raise SqlError("syntax error")
    return _canonical_text(trees[0] if statement else _only_expression(trees[0]))


def _folded(raw: dict[str, Any]) -> str:
    text: str = raw["text"]
    return text if text[:1] in "'\"" else fold(text)


class _Level:
    """How deep the tree is inside one pair of parentheses: operators since the last comma, and what commas leave."""

    def __init__(self) -> None:
        self.operators = 0
        self._kept = 0
        self._joins = False

    def take(self, raw: dict[str, Any]) -> None:
        """Count one token."""
        word = raw["text"].upper()
        if word == ";":
            self.operators, self._kept, self._joins = 0, 0, False
        elif word == "," and not self._joins:
            self.operators = self._kept
        elif word == "," or raw["category"] not in _LEAVES:
            self.operators += _LEVELS_OF_CASE if word == "CASE" else 1
            self._joins = self._joins or word == "FROM"
            self._kept += 2 * (word in _COMPOUNDS)


#: What never makes a tree deeper; white space is of the category "other", as are ISNULL and NOTNULL, which do.
_LEAVES = frozenset({"identifier", "number", "string", "comment", "punctuation", "parameter", "function", "type"})


def _deepest(tokens: Sequence[dict[str, Any]]) -> int:
    """How deep the tree of ``tokens`` is at most."""
    levels, outside, deepest = [_Level()], 0, 0
    for raw in tokens:
        if raw["text"] == "(":
            outside += levels[-1].operators + _LEVELS_OF_PARENTHESIS
            levels.append(_Level())
        elif raw["text"] == ")" and len(levels) > 1:
            levels.pop()
            outside -= levels[-1].operators + _LEVELS_OF_PARENTHESIS
        elif raw["text"].strip():
            levels[-1].take(raw)
        deepest = max(deepest, outside + levels[-1].operators)
    return deepest


def _only_expression(tree: dict[str, Any]) -> object:
    """The expression of ``SELECT (expression)``, if that is all there is."""
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
    """A finished piece of the text below."""

    __slots__ = ()


def _canonical_text(tree: object) -> str:
    """``tree`` as JSON without what is spelling: redundant parentheses, the case of names and of keywords in literals.

    With a stack of its own, since Python's may be short of room where the caller is deep in calls.
    """
    pieces: list[str] = []
    stack: list[object] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, _Text):
            pieces.append(node)
        elif isinstance(node, dict):
            stack += reversed([node["expr"]] if node.get("type") == "ParenExpr" else list(_members(node)))
        elif isinstance(node, list):
            separated = [part for item in node for part in (_Text(","), item)][1:]
            stack += reversed([_Text("["), *separated, _Text("]")])
        else:
            pieces.append(json.dumps(node, ensure_ascii=False))
    return "".join(pieces)


def _members(node: dict[str, Any]) -> Iterator[object]:
    opening = "{"
    for key in sorted(node):
        if key not in _SPELLING:
            yield _Text(f'{opening}"{key}":')
            yield _stripped_value(node.get("type"), key, node[key])
            opening = ","
    yield _Text("{}" if opening == "{" else "}")


def _stripped_value(kind: object, key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if key in _NAMES or (key == "source" and kind == "IdentName"):
        return fold(unquote(value))
    if key == "type_name":
        return " ".join(value.upper().split())
    if key == "source" and not value.startswith("'"):
        return fold(value)
    return value
