"""Recognize shadow tables, in which virtual tables keep their data, and the external content of full-text tables.

SQLite recognizes shadow tables by name only (https://www.sqlite.org/vtab.html#xshadowname). It calls ``notes_content``
a shadow table of the FTS5 table ``notes`` even if ``notes`` has external content and a user made ``notes_content``. So
for names that a user may choose, this module also checks that the CREATE TABLE looks like one that a full-text module
writes.

The runner uses this module and works without syntaqlite, so this module reads statements with regular expressions.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogRow
from waiaas_migrate.sqlite.quoting import unquote

#: A string or quoted name, a comment, white space, a word, or any other character.
TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\]
    | --[^\n]* | /\*.*?(?:\*/|\Z) | \s+ | [\w$]+ | .""",
    re.VERBOSE | re.DOTALL,
)

#: By module: a pattern for the suffixes that shadow tables have after the virtual table's name.
_SUFFIX_PATTERNS: Mapping[str, str] = {
    "fts3": "content|segments|segdir|stat",
    "fts4": "content|segments|segdir|docsize|stat",
    "fts5": "data|idx|content|docsize|config",
    **dict.fromkeys(("rtree", "rtree_i32", "geopoly"), "node|rowid|parent"),
    "spellfix1": "vocab",
    # https://github.com/asg017/sqlite-vec and https://github.com/asg017/sqlite-vss
    "vec0": r"info|chunks|rowids|auxiliary|vector_chunks\d\d|metadatachunks\d\d|metadatatext\d\d",
    "vss0": "data|index",
}

#: By suffix: a pattern for the CREATE TABLE of a shadow table that only some full-text tables have.
_CREATE_PATTERNS: Mapping[str, str] = {
    "content": r"['\"]\((?:id INTEGER PRIMARY KEY, [cl]\d|docid INTEGER PRIMARY KEY, 'c\d)",
    "docsize": r"['\"]\((?:id INTEGER PRIMARY KEY, sz BLOB|docid INTEGER PRIMARY KEY, size BLOB)",
    "stat": r"['\"]\(id INTEGER PRIMARY KEY, value BLOB\)",
}

#: Modules of SQLite whose virtual tables keep no data.
_MODULES_WITHOUT_DATA = frozenset(
    "approximate_match closure csv dbstat fts3tokenize fts4aux fts5vocab fuzzer swarmvtab transitive_closure unionvtab "
    "zipfile".split()
)


def significant_tokens(sql: str) -> Iterator[str]:
    """Yield the words, quoted texts and symbols of ``sql``, without white space and comments."""
    return (token for token in TOKEN.findall(sql) if not token.isspace() and not token.startswith(("--", "/*")))


@lru_cache(maxsize=1024)
def module_of(sql: str) -> str:
    """Return the folded name of the module in a CREATE VIRTUAL TABLE."""
    tokens = [*significant_tokens(sql), "("]
    return fold(unquote(tokens[tokens.index("(") - 1]))


def known_shadow_names(rows: Sequence[CatalogRow]) -> frozenset[str]:
    """Return the folded names of the shadow tables of modules that this package knows."""
    tables = {fold(row.name): row for row in rows if row.kind == "table" and not row.is_virtual}
    return frozenset(
        name
        for virtual in rows
        if virtual.is_virtual
        for name, row in tables.items()
        if name.startswith(f"{fold(virtual.name)}_") and _is_shadow(row, name[len(virtual.name) + 1 :], virtual)
    )


def _is_shadow(row: CatalogRow, suffix: str, virtual: CatalogRow) -> bool:
    module = module_of(virtual.sql)
    if re.fullmatch(_SUFFIX_PATTERNS.get(module, "(?!)"), suffix) is None:
        return False
    return not module.startswith("fts") or re.search(_CREATE_PATTERNS.get(suffix, ""), row.sql) is not None


def shadow_names(connection: sqlite3.Connection, rows: Sequence[CatalogRow]) -> frozenset[str]:
    """Return the folded names of all shadow tables; ask SQLite about unknown modules."""
    virtual = {fold(row.name) for row in _of_unknown_modules(rows)}
    if not virtual:
        return known_shadow_names(rows)
    query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"
    reported = [fold(name) for (name,) in connection.execute(query)]
    return known_shadow_names(rows) | {name for name in reported if any(name.startswith(f"{v}_") for v in virtual)}


def possible_shadow_tables(connection: sqlite3.Connection, rows: Sequence[CatalogRow]) -> dict[str, CatalogRow]:
    """Map the folded name of each table that may be a shadow table to its virtual table.

    The table's name begins with the name of a virtual table whose module is neither known to this package nor loaded
    into ``connection``, so this package can't decide.
    """
    virtual = _of_unknown_modules(rows)
    if not virtual:
        return {}
    loaded = {fold(name) for (name,) in connection.execute("SELECT name FROM pragma_module_list")}
    decided = {fold(row.name) for row in rows if row.is_virtual} | known_shadow_names(rows)
    return {
        fold(row.name): owner
        for owner in virtual
        if module_of(owner.sql) not in loaded
        for row in rows
        if row.kind == "table" and fold(row.name) not in decided and fold(row.name).startswith(f"{fold(owner.name)}_")
    }


def _of_unknown_modules(rows: Sequence[CatalogRow]) -> list[CatalogRow]:
    known = _SUFFIX_PATTERNS.keys() | _MODULES_WITHOUT_DATA
    return [row for row in rows if row.is_virtual and module_of(row.sql) not in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalContent:
    """The external content of a full-text table: the table or view that it indexes; all names are folded.

    See https://www.sqlite.org/fts5.html#external_content_tables and
    https://www.sqlite.org/fts3.html#fts4_external_content_tables.

    Args:
        table: the table or view with the content.
        rowid: the column of ``table`` that identifies a row.
        columns: the columns that the module's arguments name; none if an FTS4 table names none, and so indexes all.
    """

    table: str
    rowid: str
    columns: frozenset[str]


def external_content(sql: str) -> ExternalContent | None:
    """Return the external content in a CREATE VIRTUAL TABLE; None if it declares none."""
    if module_of(sql) not in ("fts4", "fts5"):
        return None
    arguments = _arguments(sql)
    options = {argument[0]: argument[2] for argument in arguments if argument[1:2] == ["="] and len(argument) > 2}
    columns = {argument[0] for argument in arguments if argument[0] not in options}
    if not options.get("content"):
        return None
    columns |= {options["languageid"]} if "languageid" in options else set()
    rowid = options.get("content_rowid", "rowid")
    return ExternalContent(table=options["content"], rowid=rowid, columns=frozenset(columns))


def _arguments(sql: str) -> Sequence[Sequence[str]]:
    """Return the arguments of a virtual table's module, each as folded words and symbols."""
    found: list[list[str]] = [[]]
    depth = 0
    for word in significant_tokens(sql):
        depth += (word == "(") - (word == ")")
        if depth == 1 and word in ("(", ","):
            found.append([])
        elif depth:
            found[-1].append(fold(unquote(word)))
    return [argument for argument in found if argument]


def holds_rows(sql: str) -> bool:
    """Return whether a virtual table stores its own rows."""
    return module_of(sql) not in _MODULES_WITHOUT_DATA and external_content(sql) is None
