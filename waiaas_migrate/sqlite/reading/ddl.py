"""Read expressions and CREATE statements, except CREATE TABLE, into the model; and ALTER TABLE … RENAME.

The statements come from schema.yaml or from a database's ``sqlite_master``. Only the text there shows CHECKs,
collations, conflict clauses, generated expressions, constraint names and deferrability, which no PRAGMA reports
(https://www.sqlite.org/schematab.html). :mod:`waiaas_migrate.sqlite.reading.ddl_table` reads CREATE TABLE.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from waiaas_migrate.schema.affinity import Affinity
from waiaas_migrate.schema.model import Index, IndexPart, SqlText, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, meaning, tokenize, without_comments
from waiaas_migrate.sqlite.reading.spelling import spell, spell_statement
from waiaas_migrate.sqlite.reading.token_reader import TokenReader, split_commas
from waiaas_migrate.sqlite.reading.virtual_tables import holds_rows

#: Words that SQLite's grammar reads as literals, not as names.
LITERAL_WORDS = frozenset({"NULL", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"})
#: The words that a query may begin with.
_QUERY_WORDS = ("SELECT", "WITH", "VALUES")


def names_in_scope(names: Iterable[str]) -> frozenset[str]:
    """Return the folded names that a word in double quotes can refer to.

    ``names`` are the tables and columns that the expression or statement may use.
    """
    return frozenset(fold(name) for name in names) | {*ROWID_NAMES, "new", "old", "main", "temp"}


def read_expression(sql: str, columns: Iterable[str] = (), owner: str = "") -> SqlText:
    """Read an expression from schema.yaml, over ``columns`` of the table ``owner``.

    ``owner.column`` means the same as ``column``.

    Raises:
        SqlError: ``sql`` is not exactly one expression.
    """
    # The meaning of a word in double quotes depends on whether a column has that name.
    names = names_in_scope(columns) if '"' in sql else frozenset[str]()
    may_name_owner = '"' in owner or fold(owner) in fold(sql)
    return _expression(sql, names, owner if may_name_owner else "")


@lru_cache(maxsize=8192)
def _expression(sql: str, names: frozenset[str], owner: str) -> SqlText:
    tokens = without_comments(tokenize(sql))
    if not tokens:
        raise SqlError("the expression is empty")
    return _sql_text(tokens, names, owner)


def read_stored_expression(tokens: Sequence[Token], names: frozenset[str], owner: str = "") -> SqlText:
    """Read an expression in a CREATE statement that SQLite has accepted.

    If syntaqlite rejects the expression, its key is its words instead of its meaning. ``names`` are the names in
    scope (:func:`names_in_scope`). ``owner`` is the table of the expression: ``owner.column`` means ``column``.
    """
    try:
        return _sql_text(tokens, names, owner)
    except SqlError:
        return SqlText(sql=spell(tokens), key=_words_key(_without_owner(tokens, owner)))


def _sql_text(tokens: Sequence[Token], names: frozenset[str], owner: str) -> SqlText:
    return SqlText(sql=spell(tokens), key=meaning(_without_owner(tokens, owner), statement=False, names=names))


def _without_owner(tokens: Sequence[Token], owner: str) -> Sequence[Token]:
    """Replace ``owner.column`` by ``column`` in the tokens of an expression, and drop comments."""
    tokens = without_comments(tokens)
    found, at = list[Token](), 0
    while at < len(tokens):
        token = tokens[at]
        is_owner = token.is_name and fold(token.name) == fold(owner)
        if is_owner and at + 2 < len(tokens) and tokens[at + 1].word == ".":
            token = tokens[at + 2]._replace(spaced=token.spaced)
            at += 2
        found.append(token)
        at += 1
    return found


def without_table_prefix(sql: str, owner: str) -> str:
    """Replace ``owner.column`` by ``column`` in an expression."""
    tokens = without_comments(tokenize(sql))
    shortened = _without_owner(tokens, owner)
    return sql if len(shortened) == len(tokens) else spell(shortened)


def _words_key(tokens: Sequence[Token]) -> str:
    """Return a key that ignores spacing, comments and the case of words."""
    return " ".join(fold(t.text) if t.kind is Kind.WORD else t.text for t in without_comments(tokens))


def read_index(sql: str, columns: Iterable[str]) -> Index:
    """Read a CREATE INDEX that SQLite has accepted; ``columns`` are the columns of its table."""
    reader = TokenReader(without_comments(tokenize(sql)))
    reader.expect("CREATE")
    unique = reader.accept("UNIQUE")
    reader.expect("INDEX")
    name = _object_name(reader)
    reader.expect("ON")
    known = {fold(column): column for column in columns}
    names = names_in_scope([*known, reader.read_name()])
    parts = tuple(read_index_part(part, known, names) for part in split_commas(reader.read_parentheses()))
    where = read_stored_expression(reader.read_rest(), names) if reader.accept("WHERE") else None
    return Index(name=name, parts=parts, unique=unique, where=where)


def read_index_term(sql: str, columns: Iterable[str]) -> IndexPart:
    """Read a term of an index from schema.yaml, as :func:`read_index` reads it from a database."""
    known = {fold(column): column for column in columns}
    return read_index_part(without_comments(tokenize(sql)), known, names_in_scope(known))


def read_index_part(tokens: Sequence[Token], columns: dict[str, str], names: frozenset[str]) -> IndexPart:
    """Read a term of an index: a column or an expression.

    ``columns`` are the table's columns by folded name, and ``names`` the names in scope (:func:`names_in_scope`).
    """
    order = tokens[-1].word if len(tokens) > 1 else ""
    descending, ascending = order == "DESC", order == "ASC"
    if descending or ascending:
        tokens = tokens[:-1]
    bare, collation = _without_collation(tokens)
    # Remove parentheses around the whole term, as in ((a) COLLATE NOCASE).
    while bare[0].word == "(" and 0 < len(inside := TokenReader(bare).read_parentheses()) == len(bare) - 2:
        bare, inner = _without_collation(inside)
        collation = collation or inner
    if len(bare) == 1 and (bare[0].is_name or bare[0].kind is Kind.STRING) and fold(bare[0].name) in columns:
        name = columns[fold(bare[0].name)]
        return IndexPart(column=name, collation=collation, descending=descending, ascending=ascending)
    return IndexPart(expression=read_stored_expression(tokens, names), descending=descending, ascending=ascending)


def _without_collation(tokens: Sequence[Token]) -> tuple[Sequence[Token], str | None]:
    if len(tokens) > 2 and tokens[-2].word == "COLLATE":
        return tokens[:-2], tokens[-1].name
    return tokens, None


def read_view(name: str, sql: str, names: Iterable[str] = ()) -> View:
    """Read a view from its CREATE VIEW, or from only its SELECT.

    ``names`` are the names that the view can refer to; without them, words in double quotes are read as names.

    Raises:
        SqlError: ``sql`` is neither CREATE VIEW nor a query, or creates a view of another name.
    """
    tokens = tokenize(sql)
    reader = TokenReader(without_comments(tokens))
    if reader.peek() in _QUERY_WORDS:
        return read_view(name, f"CREATE VIEW {quote_name(name)} AS {sql}", names)
    _expect_create(reader, name, "VIEW")
    return View(name=name, statement=_statement(tokens, names))


def select_of(sql: str) -> str | None:
    """Return the SELECT of ``CREATE VIEW name AS SELECT``; None for any other form."""
    tokens = tokenize(sql)
    reader = TokenReader(tokens)
    if not reader.accept("CREATE", "VIEW"):
        return None
    reader.read_name()
    if not reader.accept("AS") or reader.peek() not in _QUERY_WORDS:
        return None
    return sql[tokens[reader.position - 1].end :].lstrip()


def read_trigger(name: str, sql: str, names: Iterable[str] = ()) -> Trigger:
    """Read a trigger from its CREATE TRIGGER; for ``names``, see :func:`read_view`.

    Raises:
        SqlError: ``sql`` is not a CREATE TRIGGER, or creates a trigger of another name.
    """
    tokens = tokenize(sql)
    reader = TokenReader(without_comments(tokens))
    _expect_create(reader, name, "TRIGGER")
    while (event := reader.accept_any("INSERT", "UPDATE", "DELETE")) is None:
        reader.next()
    columns: list[str] = []
    while reader.accept("," if columns else "OF"):
        columns.append(reader.read_name())
    reader.expect("ON")
    statement = _statement(tokens, names)
    return Trigger(name=name, table=_object_name(reader), statement=statement, event=event, columns=tuple(columns))


def read_virtual_table(name: str, sql: str) -> VirtualTable:
    """Read a virtual table from its CREATE VIRTUAL TABLE; its module need not be loaded.

    Raises:
        SqlError: ``sql`` is not a CREATE VIRTUAL TABLE, or creates a table of another name.
    """
    reader = TokenReader(without_comments(tokenize(sql)))
    _expect_create(reader, name, "VIRTUAL", "TABLE")
    reader.expect("USING")
    module = reader.read_name()
    arguments = reader.read_parentheses() if reader.peek() == "(" else ()
    key = f"{fold(name)} {fold(module)} {_words_key(arguments)}"
    statement = SqlText(sql=sql.strip().rstrip(";").rstrip(), key=key)
    return VirtualTable(name=name, module=module, statement=statement, holds_data=holds_rows(sql))


class OtherNameError(SqlError):
    """A statement creates an object named ``found``, not ``name``."""

    def __init__(self, found: str, name: str) -> None:
        self.found = found
        super().__init__(f"the statement creates {found!r}, not {name!r}")


def _expect_create(reader: TokenReader, name: str, *kind: str) -> None:
    """Read CREATE, the words of ``kind``, and ``name``."""
    reader.expect("CREATE")
    if reader.peek() in ("TEMP", "TEMPORARY"):
        raise SqlError(f"a temporary {' '.join(kind).lower()} belongs to one connection, not to the schema")
    reader.expect(*kind)
    found = _object_name(reader)
    if fold(found) != fold(name):
        raise OtherNameError(found, name)


def _object_name(reader: TokenReader) -> str:
    """Read a name; skip IF NOT EXISTS and the name of a database before it."""
    reader.accept("IF", "NOT", "EXISTS")
    name = reader.read_name()
    return reader.read_name() if reader.accept(".") else name


def _statement(tokens: Sequence[Token], names: Iterable[str]) -> SqlText:
    """Return the text and the meaning of a statement, without semicolons and comments at its end."""
    while tokens and (tokens[-1].word == ";" or tokens[-1].kind is Kind.COMMENT):
        tokens = tokens[:-1]
    key = meaning(tokens, statement=True, names=names_in_scope(names) if names else frozenset())
    return SqlText(sql=spell_statement(tokens), key=key)


class Rename(NamedTuple):
    """A rename of a column, or of a table if ``column`` is empty; names are folded."""

    table: str
    column: str
    new: str


def rename_in(statement: str) -> Rename | None:
    """Return the rename in ``statement``; None if the statement renames nothing."""
    try:
        reader = TokenReader(without_comments(tokenize(statement)))
        if not reader.accept("ALTER", "TABLE"):
            return None
        table = _object_name(reader)
        reader.expect("RENAME")
        column = ""
        if not reader.accept("TO"):
            reader.accept("COLUMN")
            column = reader.read_name()
            reader.expect("TO")
        return Rename(fold(table), fold(column), fold(reader.read_name()))
    except SqlError:
        return None


def read_default(sql: str) -> SqlText:
    """Read a DEFAULT from schema.yaml. A name without parentheses is a string, as in SQLite.

    Raises:
        SqlError: ``sql`` is not exactly one expression.
    """
    found = read_expression(sql)
    if not may_omit_parentheses(sql):
        return found
    return replace(found, key=read_bare_default(without_comments(tokenize(sql))).key)


def read_bare_default(tokens: Sequence[Token]) -> SqlText:
    """Read a DEFAULT without parentheses: a literal or a name, perhaps with a sign."""
    found, token = read_stored_expression(tokens, frozenset()), tokens[-1]
    if not token.is_name or token.word in {*LITERAL_WORDS, "TRUE", "FALSE"}:
        return found
    # A DEFAULT can't name a column. SQLite reads the name as a string, so its case matters.
    string = Token(Kind.STRING, quote_literal(token.name))
    return replace(found, key=read_stored_expression([string], frozenset()).key)


def may_omit_parentheses(sql: str) -> bool:
    """Return whether a DEFAULT is a literal or a name, which needs no parentheses.

    A number may have a sign. See https://www.sqlite.org/lang_createtable.html#the_default_clause.
    """
    tokens = without_comments(tokenize(sql))
    if len(tokens) == 2 and tokens[0].word in ("+", "-"):
        # TRUE and FALSE are names to SQLite's grammar, and a name can't have a sign.
        return tokens[1].kind in (Kind.VALUE, Kind.STRING) or tokens[1].word in LITERAL_WORDS
    return len(tokens) == 1 and tokens[0].kind is not Kind.SYMBOL


def is_safe_in_add_column(sql: str, affinity: Affinity) -> bool:
    """Return whether existing rows get the same value from a DEFAULT in ADD COLUMN as new rows.

    ADD COLUMN rejects expressions, CURRENT_TIMESTAMP and the like. Existing rows read any other DEFAULT from the
    table's text, and SQLite doesn't always convert it to the column's affinity: TRUE stays a number in a TEXT
    column, 1e3 keeps its spelling, and 1.0 is an integer in a column without affinity.
    """
    if not may_omit_parentheses(sql):
        return False
    token = without_comments(tokenize(sql))[-1]
    if token.word in ("CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"):
        return False
    if token.word in ("TRUE", "FALSE"):
        return affinity != "TEXT"
    is_real = token.kind is Kind.VALUE and token.text[:2].lower() not in ("0x", "x'") and not token.text.isdigit()
    return not is_real or affinity in ("NUMERIC", "REAL")


def has_carriage_return(sql: str) -> bool:
    """Return whether a string or quoted name in ``sql`` contains a carriage return."""
    if "\r" not in sql:
        return False
    try:
        return any("\r" in token.text for token in tokenize(sql) if token.kind in (Kind.STRING, Kind.NAME))
    except SqlError:
        return False


def names_in(sql: str) -> frozenset[str]:
    """Return the folded words, names and strings in ``sql``, which include its columns."""
    return frozenset(fold(token.name) for token in tokenize(sql) if token.is_name or token.kind is Kind.STRING)
