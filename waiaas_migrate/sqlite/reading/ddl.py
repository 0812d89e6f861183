"""Read CREATE statements and expressions into the model, with SQLite's own grammar.

Only ``sqlite_master`` has CHECKs, collations, conflict clauses, generated expressions, constraint names and
deferrability: no PRAGMA reports them (https://www.sqlite.org/schematab.html). For CREATE TABLE, see
:mod:`waiaas_migrate.sqlite.reading.ddl_table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from waiaas_migrate.schema.affinity import Affinity
from waiaas_migrate.schema.model import Index, IndexPart, SqlText, Trigger, View, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES
from waiaas_migrate.sqlite.quoting import quote_literal, quote_name
from waiaas_migrate.sqlite.reading.external_content import holds_rows
from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token, meaning, tokenize, without_comments
from waiaas_migrate.sqlite.reading.spelling import spell, spell_statement
from waiaas_migrate.sqlite.reading.token_reader import TokenReader, split_commas

#: Words that are literals to SQLite's grammar, not names.
TERMS = frozenset({"NULL", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP"})


def known_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names that a word in double quotes can refer to inside an expression over ``names``."""
    return frozenset(fold(name) for name in names) | {*ROWID_NAMES, "new", "old", "main", "temp"}


def read_expression(sql: str, columns: Iterable[str] = (), owner: str = "") -> SqlText:
    """Read an expression that a user wrote over ``columns`` of the table ``owner`` (see :func:`read_index`).

    Raises:
        SqlError: it is not exactly one expression.
    """
    # The meaning of a word in double quotes depends on whether a column has that name.
    names = known_names(columns) if '"' in sql else frozenset[str]()
    is_named = '"' in owner or fold(owner) in fold(sql)
    return _expression(sql, names, owner if is_named else "")


@lru_cache(maxsize=8192)
def _expression(sql: str, names: frozenset[str], owner: str) -> SqlText:
    tokens = without_comments(tokenize(sql))
    if not tokens:
        raise SqlError("the expression is empty")
    return _sql_text(tokens, names, owner)


def read_stored_expression(tokens: Sequence[Token], names: frozenset[str], owner: str = "") -> SqlText:
    """Read an expression in a statement that SQLite has accepted; keep it as written if it doesn't parse here.

    ``owner`` is the table that the expression belongs to. ``owner.column`` means the same as ``column``.
    """
    try:
        return _sql_text(tokens, names, owner)
    except SqlError:
        return SqlText(sql=spell(tokens), key=_as_written(_without_owner(tokens, owner)))


def _sql_text(tokens: Sequence[Token], names: frozenset[str], owner: str) -> SqlText:
    key = meaning(_without_owner(tokens, owner), statement=False, names=names)
    return SqlText(sql=spell(tokens), key=key)


def _without_owner(tokens: Sequence[Token], owner: str) -> Sequence[Token]:
    """Return the tokens of an expression over the columns of ``owner``, with ``owner.column`` as ``column``."""
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
    """Return the text of an expression over the columns of ``owner``, with ``owner.column`` as ``column``."""
    tokens = without_comments(tokenize(sql))
    bare = _without_owner(tokens, owner)
    return sql if len(bare) == len(tokens) else spell(bare)


def _as_written(tokens: Sequence[Token]) -> str:
    return " ".join(fold(t.text) if t.kind is Kind.WORD else t.text for t in without_comments(tokens))


def read_index(sql: str, columns: Iterable[str]) -> Index:
    """Read a CREATE INDEX that SQLite has accepted, on a table with ``columns``."""
    reader = TokenReader(without_comments(tokenize(sql)))
    reader.expect("CREATE")
    unique = reader.accept("UNIQUE")
    reader.expect("INDEX")
    name = _object_name(reader)
    reader.expect("ON")
    known = {fold(column): column for column in columns}
    names = known_names([*known, reader.read_name()])
    parts = tuple(read_index_part(part, known, names) for part in split_commas(reader.read_parentheses()))
    where = read_stored_expression(reader.read_rest(), names) if reader.accept("WHERE") else None
    return Index(name=name, parts=parts, unique=unique, where=where)


def read_index_term(sql: str, columns: Iterable[str]) -> IndexPart:
    """Read one term of an index that a user wrote, as :func:`read_index` would read it back."""
    known = {fold(column): column for column in columns}
    return read_index_part(without_comments(tokenize(sql)), known, known_names(known))


def read_index_part(tokens: Sequence[Token], columns: dict[str, str], names: frozenset[str]) -> IndexPart:
    """Read one term of an index: a column if it names one, else an expression."""
    order = tokens[-1].word if len(tokens) > 1 else ""
    descending, ascending = order == "DESC", order == "ASC"
    if descending or ascending:
        tokens = tokens[:-1]
    bare, collation = _without_collation(tokens)
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

    Raises:
        SqlError: it is neither, or creates a view of another name.
    """
    tokens = tokenize(sql)
    if without_comments(tokens)[:1] and without_comments(tokens)[0].word in ("SELECT", "WITH", "VALUES"):
        return read_view(name, f"CREATE VIEW {quote_name(name)} AS {sql}", names)
    reader = TokenReader(without_comments(tokens))
    _expect_create(reader, "VIEW", name)
    return View(name=name, statement=_statement(tokens, names))


def select_of(sql: str) -> str | None:
    """Return the SELECT of a CREATE VIEW; None if it has anything else besides its name, such as a list of columns."""
    tokens = tokenize(sql)
    reader = TokenReader(tokens)
    if not reader.accept("CREATE", "VIEW"):
        return None
    reader.read_name()
    if not reader.accept("AS") or reader.peek() not in ("SELECT", "WITH", "VALUES"):
        return None
    return sql[tokens[reader.position - 1].end :].lstrip()


def read_trigger(name: str, sql: str, names: Iterable[str] = ()) -> Trigger:
    """Read a trigger from its CREATE TRIGGER.

    Raises:
        SqlError: it is not one, or has another name.
    """
    tokens = tokenize(sql)
    reader = TokenReader(without_comments(tokens))
    _expect_create(reader, "TRIGGER", name)
    while (event := reader.accept_any("INSERT", "UPDATE", "DELETE")) is None:
        reader.next()
    columns: list[str] = []
    while reader.accept("," if columns else "OF"):
        columns.append(reader.read_name())
    reader.expect("ON")
    statement = _statement(tokens, names)
    return Trigger(name=name, table=_object_name(reader), statement=statement, event=event, columns=tuple(columns))


def read_virtual_table(name: str, sql: str) -> VirtualTable:
    """Read a virtual table from its CREATE VIRTUAL TABLE; its module may be missing.

    Raises:
        SqlError: it is not one, or has another name.
    """
    reader = TokenReader(without_comments(tokenize(sql)))
    reader.expect("CREATE", "VIRTUAL", "TABLE")
    _expect_name(reader, name)
    reader.expect("USING")
    module = reader.read_name()
    arguments = reader.read_parentheses() if reader.peek() == "(" else ()
    key = f"{fold(name)} {fold(module)} {_as_written(arguments)}"
    statement = SqlText(sql=sql.strip().rstrip(";").rstrip(), key=key)
    return VirtualTable(name=name, module=module, statement=statement, holds_data=holds_rows(sql))


class OtherNameError(SqlError):
    """A statement creates an object of another name than expected; ``found`` is that name."""

    def __init__(self, found: str, name: str) -> None:
        self.found = found
        super().__init__(f"the statement creates {found!r}, not {name!r}")


def _expect_create(reader: TokenReader, what: str, name: str) -> None:
    reader.expect("CREATE")
    if reader.peek() in ("TEMP", "TEMPORARY"):
        raise SqlError(f"a temporary {what.lower()} belongs to one connection, not to the schema")
    reader.expect(what)
    _expect_name(reader, name)


def _expect_name(reader: TokenReader, name: str) -> None:
    found = _object_name(reader)
    if fold(found) != fold(name):
        raise OtherNameError(found, name)


def _object_name(reader: TokenReader) -> str:
    """Read the name of an object, with or without its database before it."""
    reader.accept("IF", "NOT", "EXISTS")
    name = reader.read_name()
    return reader.read_name() if reader.accept(".") else name


def _statement(tokens: Sequence[Token], names: Iterable[str]) -> SqlText:
    while tokens and (tokens[-1].word == ";" or tokens[-1].kind is Kind.COMMENT):
        tokens = tokens[:-1]
    key = meaning(tokens, statement=True, names=known_names(names) if names else frozenset())
    return SqlText(sql=spell_statement(tokens), key=key)


def read_default(sql: str) -> SqlText:
    """Read a DEFAULT that a user wrote; read a literal or a name as SQLite does without parentheses.

    Raises:
        SqlError: it is not exactly one expression.
    """
    found = read_expression(sql)
    return replace(found, key=read_bare_default(without_comments(tokenize(sql))).key) if is_bare(sql) else found


def read_bare_default(tokens: Sequence[Token]) -> SqlText:
    """Read a DEFAULT without parentheses: a literal or a name, perhaps with a sign."""
    found, token = read_stored_expression(tokens, frozenset()), tokens[-1]
    if not token.is_name or token.word in {*TERMS, "TRUE", "FALSE"}:
        return found
    # Here, a bare word or a word in double quotes can't be a column. It is a string, and its case matters.
    meant = Token(Kind.STRING, quote_literal(token.name))
    return replace(found, key=read_stored_expression([meant], frozenset()).key)


def is_bare(sql: str) -> bool:
    """Return whether a DEFAULT can be written without parentheses: it is a literal or a name, perhaps with a sign.

    See https://www.sqlite.org/lang_createtable.html#the_default_clause.
    """
    tokens = without_comments(tokenize(sql))
    if len(tokens) == 2 and tokens[0].word in ("+", "-"):
        # TRUE and FALSE are names to SQLite's grammar, and a name can't have a sign.
        return tokens[1].kind in (Kind.VALUE, Kind.STRING) or tokens[1].word in TERMS
    return len(tokens) == 1 and tokens[0].kind is not Kind.SYMBOL


def is_safe_in_add_column(sql: str, kind: Affinity) -> bool:
    """Return whether existing rows read the DEFAULT of a new column exactly as an INSERT stores it.

    ADD COLUMN refuses expressions, CURRENT_TIMESTAMP and the like. Existing rows read other defaults from the table's
    text, and SQLite doesn't always convert these: TRUE stays a number in a TEXT column, 1e3 keeps its spelling, and 1.0
    is an integer in a column without affinity.
    """
    if not is_bare(sql):
        return False
    token = without_comments(tokenize(sql))[-1]
    if token.word in ("CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"):
        return False
    if token.word in ("TRUE", "FALSE"):
        return kind != "TEXT"
    is_real = token.kind is Kind.VALUE and token.text[:2].lower() not in ("0x", "x'") and not token.text.isdigit()
    return not is_real or kind in ("NUMERIC", "REAL")


def has_carriage_return(sql: str) -> bool:
    """Return whether a string or quoted name in ``sql`` has a carriage return; between words it has no meaning."""
    if "\r" not in sql:
        return False
    try:
        return any("\r" in token.text for token in tokenize(sql) if token.kind in (Kind.STRING, Kind.NAME))
    except SqlError:
        return False


def names_in(sql: str) -> frozenset[str]:
    """Return the folded words, names and strings of ``sql``, which include every column that it names."""
    return frozenset(fold(token.name) for token in tokenize(sql) if token.is_name or token.kind is Kind.STRING)
