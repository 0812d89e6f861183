"""The tables in which virtual tables keep what they hold: their shadow tables.

SQLite itself goes by the name alone: it calls ``notes_content`` a shadow table of the FTS5 table ``notes`` even if
``notes`` has external content, makes no such table, and the user did (https://www.sqlite.org/vtab.html#xshadowname).
So this follows what each module does with its arguments. Nothing here needs SQLite's grammar, which takes a module's
arguments for any text: each module reads them in its own way.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogRow

_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\]
    | --[^\n]* | /\*.*?(?:\*/|\Z) | \s+ | [\w$]+ | .""",
    re.VERBOSE | re.DOTALL,
)
_QUOTES = {"'": "'", '"': '"', "`": "`", "[": "]"}

_RTREE = "node|rowid|parent"

#: What modules append to a virtual table's name, as a pattern; where it depends on the arguments, all that is possible.
_SUFFIXES: Mapping[str, str] = {
    "fts3": "content|segments|segdir|stat",
    "fts4": "content|segments|segdir|docsize|stat",
    "fts5": "data|idx|content|docsize|config",
    "rtree": _RTREE,
    "rtree_i32": _RTREE,
    "geopoly": _RTREE,
    "spellfix1": "vocab",
    # https://github.com/asg017/sqlite-vec and https://github.com/asg017/sqlite-vss
    "vec0": r"info|chunks|rowids|auxiliary|vector_chunks\d\d|metadatachunks\d\d|metadatatext\d\d",
    "vss0": "data|index",
}

#: Modules of SQLite's that keep nothing.
_KEEP_NOTHING = frozenset(
    "approximate_match closure csv dbstat fts3tokenize fts4aux fts5vocab fuzzer swarmvtab transitive_closure unionvtab "
    "zipfile".split()
)

#: FTS5's options, in the order in which it looks for the first that begins with the given word.
_FTS5_OPTIONS = (
    "prefix",
    "tokenize",
    "content",
    "contentless_delete",
    "contentless_unindexed",
    "content_rowid",
    "columnsize",
)

#: What a column of an FTS5 table that is kept and not searched has behind its name.
_UNINDEXED = re.compile(r"\sUNINDEXED\b", re.IGNORECASE)

#: How FTS3 makes its ``_stat``, which it does only when it is told to merge automatically.
_STAT = "(id INTEGER PRIMARY KEY, value BLOB)"


def significant_tokens(sql: str) -> Iterator[str]:
    """Split ``sql`` into words, quoted texts and single characters; leave out spaces and comments."""
    return (token for token in _TOKEN.findall(sql) if not _is_blank(token))


def _is_blank(token: str) -> bool:
    return token.isspace() or token.startswith(("--", "/*"))


def unquoted(token: str) -> str:
    """Return what ``token`` says without its quotes."""
    end = _QUOTES.get(token[:1])
    if end is None or len(token) < 2:
        return token
    return token[1:-1] if token[0] == "[" else token[1:-1].replace(end * 2, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declaration:
    """A virtual table's module, folded, and its arguments as the module is given them."""

    module: str
    arguments: tuple[str, ...]


@lru_cache(maxsize=1024)
def _declaration(sql: str) -> _Declaration:
    tokens = _TOKEN.findall(sql)
    opening = tokens.index("(") if "(" in tokens else len(tokens)
    before = [token for token in tokens[:opening] if not _is_blank(token)]
    arguments: list[list[str]] = [[]]
    depth = 0
    for piece in tokens[opening + 1 :]:
        depth += (piece == "(") - (piece == ")")
        if depth < 0:
            break
        if piece == "," and not depth:
            arguments.append([])
        else:
            arguments[-1].append(piece)
    texts = tuple(_without_margins(argument) for argument in arguments)
    return _Declaration(module=fold(unquoted(before[-1])) if before else "", arguments=texts)


def _without_margins(tokens: Sequence[str]) -> str:
    """Return an argument's text from its first token to its last, which is what SQLite gives to a module."""
    places = [place for place, token in enumerate(tokens) if not _is_blank(token)]
    return "".join(tokens[places[0] : places[-1] + 1]) if places else ""


def _options(found: _Declaration) -> dict[str, str]:
    """Return the options of a full-text table by their names; FTS3 has none, and takes them for columns."""
    options: dict[str, str] = {}
    for argument in found.arguments if found.module in ("fts4", "fts5") else ():
        key, equals, value = argument.partition("=")
        name = fold(key)
        if found.module == "fts5":
            word = name.strip()
            name = next((option for option in _FTS5_OPTIONS if word and option.startswith(word)), "")
        if equals and name:
            options[name] = fold(unquoted(value.strip()))
    return options


@lru_cache(maxsize=1024)
def _missing_suffixes(found: _Declaration) -> frozenset[str]:
    """Return which of its module's shadow tables a virtual table does without, by its arguments."""
    options = _options(found)
    missing: set[str] = set()
    if "content" in options and not _keeps_unindexed(found, options):
        missing.add("content")
    if options.get("matchinfo") == "fts3" or options.get("columnsize", "1").strip("0") == "":
        missing.add("docsize")
    return frozenset(missing)


def _keeps_unindexed(found: _Declaration, options: Mapping[str, str]) -> bool:
    """Whether an FTS5 table without content keeps some columns (https://www.sqlite.org/fts5.html#contentless_tables)."""
    keeps = options.get("contentless_unindexed", "0").strip("0") != ""
    return keeps and options["content"] == "" and any(_UNINDEXED.search(one) for one in found.arguments)


def holds_data(sql: str) -> bool:
    """Return whether a virtual table holds anything that is not elsewhere, too; true if its module is not known.

    A full-text table with external content is an index of other rows. One without any content is all there is.
    """
    found = _declaration(sql)
    return found.module not in _KEEP_NOTHING and not _options(found).get("content")


def full_text_arguments(sql: str) -> tuple[dict[str, str], frozenset[str]]:
    """Return the options of an FTS4 or FTS5 table and its columns, all folded; nothing for other modules."""
    found = _declaration(sql)
    if found.module not in ("fts4", "fts5"):
        return {}, frozenset()
    arguments = [list(significant_tokens(argument)) for argument in found.arguments]
    columns = [argument[0] for argument in arguments if argument and argument[1:2] != ["="]]
    return _options(found), frozenset(fold(unquoted(column)) for column in columns)


def shadow_names(rows: Sequence[CatalogRow]) -> frozenset[str]:
    """Return the folded names of the tables in ``rows`` that belong to virtual tables whose module is known."""
    tables = {fold(row.name): row for row in rows if row.kind == "table" and not row.is_virtual}
    return frozenset(
        name
        for virtual in rows
        if virtual.is_virtual
        for name, row in tables.items()
        if name.startswith(f"{fold(virtual.name)}_") and _is_shadow(row, name, virtual)
    )


def _is_shadow(row: CatalogRow, name: str, virtual: CatalogRow) -> bool:
    found = _declaration(virtual.sql)
    suffix = name[len(virtual.name) + 1 :]
    if re.fullmatch(_SUFFIXES.get(found.module, "(?!)"), suffix) is None or suffix in _missing_suffixes(found):
        return False
    return (found.module, suffix) != ("fts3", "stat") or row.sql.endswith(_STAT)


def told_shadow_names(connection: sqlite3.Connection, rows: Sequence[CatalogRow]) -> frozenset[str]:
    """Return the same and what SQLite says of modules that somebody loaded into ``connection``."""
    virtual = {fold(row.name) for row in _of_other_modules(rows)}
    if not virtual:
        return shadow_names(rows)
    told = _first_column(connection, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")
    return shadow_names(rows) | {name for name in told if any(name.startswith(f"{one}_") for one in virtual)}


def undecided(connection: sqlite3.Connection, rows: Sequence[CatalogRow]) -> dict[str, CatalogRow]:
    """Return tables that may belong to a virtual table, by their folded names, and that virtual table.

    These are the tables named after one whose module is neither known here nor loaded into ``connection``.
    """
    virtual = _of_other_modules(rows)
    if not virtual:
        return {}
    loaded = _first_column(connection, "SELECT name FROM pragma_module_list")
    certain = {fold(row.name) for row in rows if row.is_virtual} | shadow_names(rows)
    return {
        fold(row.name): one
        for one in virtual
        if _declaration(one.sql).module not in loaded
        for row in rows
        if row.kind == "table" and fold(row.name) not in certain and fold(row.name).startswith(f"{fold(one.name)}_")
    }


def module_of(row: CatalogRow) -> str:
    """Return the folded name of a virtual table's module."""
    return _declaration(row.sql).module


def _of_other_modules(rows: Sequence[CatalogRow]) -> list[CatalogRow]:
    known = _SUFFIXES.keys() | _KEEP_NOTHING
    return [row for row in rows if row.is_virtual and _declaration(row.sql).module not in known]


def _first_column(connection: sqlite3.Connection, query: str) -> frozenset[str]:
    """Return what ``query`` finds, folded; nothing if this SQLite is too old for it."""
    try:
        return frozenset(fold(row[0]) for row in connection.execute(query).fetchall())
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        return frozenset()
