"""Draw random, valid schemas that use everything in the model, for property tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from waiaas_migrate.schema.model import (
    Action,
    Check,
    Column,
    Conflict,
    Deferral,
    ForeignKey,
    Generated,
    Index,
    IndexPart,
    NotNull,
    PrimaryKey,
    Schema,
    SqlText,
    Table,
    Trigger,
    Unique,
    View,
    VirtualTable,
)
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values

T = TypeVar("T")

#: Names that caused trouble before: keywords of SQLite and of sqlparse, quotes, YAML's own words, non-ASCII.
NASTY_NAMES = (
    "order select group index table values key check default references unique primary foreign on no null true yes off "
    "if end begin loop declare do for go while case 1 1:30 0777 1e5 2020-01-01 ~ = << y é 日本 Straße Ünïcode naïve🙂 "
    "a.b a-b rowid new old text integer"
).split()
NASTY_NAMES += [
    "a b",
    'say "hi"',
    "it's",
    "`tick`",
    "[x]",
    "x]y",
    "#tag",
    "a: b",
    "a #b",
    "back\\slash",
    "end\\",
    "--",
    "/*",
    "a;b",
]
_LETTERS = "abXY_09 \"'`[]#.;-%$é日"

_TYPES = (
    *(
        "INTEGER",
        "INTEGER",
        "TEXT",
        "INTEGER",
        "REAL",
        "BLOB",
        "NUMERIC",
        "integer",
        "VARCHAR(50)",
        "DECIMAL(10, 2)",
        "BOOLEAN",
        "timestamp",
    ),
    *("json", "uuid", "unsigned big int", '"quoted type"', "VARCHAR(-1)", "int", "Any", "[odd] type"),
)
_STRICT_TYPES = ("INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY")
_COLLATIONS = ("NOCASE", "RTRIM", "BINARY", "app order")
DEFAULTS = {
    "string": ("'it''s'", "'café; -- no'", "'yes'", "'0777'", "'a''''b'", "'back\\'"),
    "empty string": ("''",),
    "multi-line string": ("'one\ntwo'", "'tab\there'"),
    "blob": ("X'00ff'", "x''"),
    "negative number": ("-5", "-1.5", "- 3", "-9223372036854775808"),
    "number": ("0", "1", "+7", "1.50", "1e10", "9e999", "9223372036854775807", ".5"),
    "hexadecimal number": ("0x1F", "-0xff"),
    "NULL": ("NULL", "null"),
    "TRUE": ("TRUE", "false"),
    "time": ("CURRENT_TIMESTAMP", "current_date"),
    "expression": ("1 + 2", "lower('A') || 'b'", "app_now()", "-true", "CASE WHEN 1 THEN 'a;' ELSE 'b' END", "NOT 1"),
    "bare word": ("Hello", '"Say; so"', "[Brackets]", "`Ticks`"),
}
_CHECKS = (
    *("{a} > 0", "{a} IN (1, 2)", "{a} IN (0, 1)", "{a} IS NULL OR {a} IN ('a', 'b')", "{a} IN ('x', 'it''s', 'no')"),
    *("length({a}) < 10", "{a} <> 'it''s; -- no'", "CASE WHEN {a} THEN 1 ELSE {b} END", "app_valid({a}, 'x')"),
    *("{a} BETWEEN 1 AND 2 AND {b} IS NOT NULL", "{a} COLLATE NOCASE = 'x'", "{a} LIKE 'a\\%' ESCAPE '\\'", "NOT {a}"),
    *(
        "({a} = 1) OR ({b} = 2)",
        "{a} IN ()",
        "typeof({a}) IN ('text')",
        "{a} NOT NULL",
        "{a} -> '$.x' IS 1",
        "-{a} < ~{b}",
    ),
)
_PREDICATES = ("{a} IS NOT NULL", "{a} > 5 AND {b} <> 'x;y'", "{a} IN ('no', 'yes')", "app_valid({a})")
_INDEXED = (
    "lower({a})",
    "{a} + {b}",
    "{a} || 'x' COLLATE NOCASE",
    "CASE {a} WHEN 1 THEN 2 END",
    "app_key({a})",
    "-{a}",
)
_GENERATED = ("{a} + 1", "coalesce({a}, 'none')", "app_key({a})", "CASE WHEN {a} THEN 'x' END", "{a} || ', ' || {b}")


def _is_usable(name: str) -> bool:
    return bool(name.strip()) and not fold(name).startswith(("sqlite_", "_yoyo", "yoyo_"))


#: Names of columns and objects.
NAMES = st.one_of(
    st.text("abcdefghij_", min_size=1, max_size=5),
    st.sampled_from(NASTY_NAMES),
    st.text(_LETTERS, min_size=1, max_size=6),
).filter(_is_usable)

# Strategies are made once: to make and check one takes far longer than to draw from it.
_COLUMN_NAMES = st.lists(NAMES, min_size=1, max_size=4, unique_by=fold)
_OBJECT_NAMES = st.lists(NAMES, min_size=4, max_size=7, unique_by=fold)
_TRIGGER_NAMES = st.lists(NAMES, max_size=2, unique_by=fold)
_NUMBERS = st.integers(0, 23)
_BOOLEANS = st.booleans()
_CONSTRAINT_NAMES = st.none() | st.none() | NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The table that a part is drawn for, all its columns, and those that hold values."""

    table: str
    columns: tuple[str, ...]
    plain: tuple[str, ...]

    def expression(self, template: str, first: str, second: str) -> SqlText:
        return ddl.read_expression(template.format(a=quote_name(first), b=quote_name(second)), self.columns)


def _one(draw: st.DrawFn, among: Sequence[T]) -> T:
    return among[draw(_NUMBERS) % len(among)]


def _some(draw: st.DrawFn, among: Sequence[T], most: int) -> list[T]:
    """Draw one to ``most`` of ``among``, each at most once."""
    left, found = list(among), list[T]()
    while left and (not found or (len(found) < most and draw(_BOOLEANS))):
        found.append(left.pop(draw(_NUMBERS) % len(left)))
    return found


def _maybe(draw: st.DrawFn, among: Sequence[T], times: int = 2) -> T | None:
    """Draw one of ``among`` every ``times`` times, else None."""
    return None if draw(_NUMBERS) % times else _one(draw, among)


def default_text(sql: str) -> SqlText:
    """Return a default; a word that is not a literal is a string."""
    is_string = sql in DEFAULTS["bare word"]
    meant = ddl.read_expression("'" + sql.strip('"[]`') + "'" if is_string else sql)
    return SqlText(sql=ddl.read_expression(sql).sql, key=meant.key)


def _expression(draw: st.DrawFn, templates: Sequence[str], place: _Place, *, plain: bool = False) -> SqlText:
    among = place.plain if plain else place.columns
    return place.expression(_one(draw, templates), _one(draw, among), _one(draw, among))


def _columns(draw: st.DrawFn, place: _Place, *, strict: bool) -> tuple[Column, ...]:
    found = []
    for name in place.columns:
        generated = default = None
        if name not in place.plain:
            generated = Generated(expression=_expression(draw, _GENERATED, place, plain=True), stored=draw(_BOOLEANS))
        elif draw(_BOOLEANS):
            default = default_text(_one(draw, DEFAULTS[_one(draw, tuple(DEFAULTS))]))
        not_null = None
        if draw(_BOOLEANS):
            not_null = NotNull(on_conflict=_maybe(draw, tuple(Conflict)), name=draw(_CONSTRAINT_NAMES))
        column = Column(
            name=name,
            type=_one(draw, _STRICT_TYPES) if strict else _one(draw, (None, *_TYPES)),
            not_null=not_null,
            default=default,
            collation=_maybe(draw, _COLLATIONS, 3),
            generated=generated,
            comment=_maybe(draw, ("What it is for", "two\nlines", "it's: #1")),
        )
        found.append(column)
    return tuple(found)


def _key_parts(draw: st.DrawFn, columns: Sequence[str]) -> tuple[IndexPart, ...]:
    return tuple(
        IndexPart(column=column, collation=_maybe(draw, _COLLATIONS, 3), descending=draw(_BOOLEANS))
        for column in _some(draw, columns, 3)
    )


def _primary_key(
    draw: st.DrawFn, place: _Place, columns: Sequence[Column], *, without_rowid: bool
) -> PrimaryKey | None:
    if not without_rowid and draw(_NUMBERS) % 4 == 0:
        return None
    parts = _key_parts(draw, place.plain)
    inline = len(parts) == 1 and parts[0].collation is None and draw(_BOOLEANS)
    only = next(column for column in columns if column.name == parts[0].column)
    is_integer = len(parts) == 1 and fold(only.type or "") == "integer" and not without_rowid
    if is_integer and not inline:
        # The key is the rowid, for which order and collation have no meaning.
        parts = (IndexPart(column=only.name),)
    return PrimaryKey(
        parts=parts,
        autoincrement=is_integer and not (inline and parts[0].descending) and draw(_BOOLEANS),
        on_conflict=_maybe(draw, tuple(Conflict)),
        name=draw(_CONSTRAINT_NAMES),
        inline=inline,
    )


def _uniques(draw: st.DrawFn, place: _Place, key: PrimaryKey | None) -> tuple[Unique, ...]:
    """Draw UNIQUE constraints over different columns: SQLite refuses different conflict clauses for the same ones."""
    taken = [{part.column for part in key.parts}] if key is not None else []
    found = []
    for _ in range(draw(_NUMBERS) % 3):
        parts = _key_parts(draw, place.columns)
        columns = {part.column for part in parts}
        if columns in taken:
            continue
        taken.append(columns)
        inline = len(parts) == 1 and draw(_BOOLEANS)
        if inline:
            parts = (IndexPart(column=parts[0].column),)
        conflict, name = _maybe(draw, tuple(Conflict)), draw(_CONSTRAINT_NAMES)
        found.append(Unique(parts=parts, on_conflict=conflict, name=name, inline=inline))
    return tuple(found)


def _checks(draw: st.DrawFn, place: _Place) -> tuple[Check, ...]:
    found = []
    for _ in range(draw(_NUMBERS) % 4):
        expression = _expression(draw, _CHECKS, place)
        name, column = draw(_CONSTRAINT_NAMES), _maybe(draw, place.columns)
        found.append(Check(expression=expression, name=name, column=column, allowed=allowed_values(expression)))
    return tuple(found)


def _foreign_keys(draw: st.DrawFn, place: _Place, parents: Sequence[str]) -> tuple[ForeignKey, ...]:
    found = []
    for _ in range(draw(_NUMBERS) % 3):
        columns = tuple(_some(draw, place.columns, 2))
        targets = tuple(draw(NAMES) if draw(_BOOLEANS) else _one(draw, place.columns) for _ in columns)
        key = ForeignKey(
            columns=columns,
            table=_maybe(draw, [*parents, place.table]) or draw(NAMES),
            targets=targets if draw(_BOOLEANS) else (),
            on_delete=_maybe(draw, tuple(Action)),
            on_update=_maybe(draw, tuple(Action)),
            match=_maybe(draw, ("FULL", "simple"), 4),
            deferral=_maybe(draw, tuple(Deferral)),
            name=draw(_CONSTRAINT_NAMES),
            inline=len(columns) == 1 and draw(_BOOLEANS),
        )
        found.append(key)
    return tuple(found)


def _indexes(draw: st.DrawFn, place: _Place, names: Sequence[str]) -> tuple[Index, ...]:
    found = []
    for name in names:
        parts = [*_key_parts(draw, place.columns)]
        if draw(_BOOLEANS):
            parts.append(IndexPart(expression=_expression(draw, _INDEXED, place), descending=draw(_BOOLEANS)))
        where = _expression(draw, _PREDICATES, place) if draw(_BOOLEANS) else None
        found.append(Index(name=name, parts=tuple(parts), unique=draw(_BOOLEANS), where=where))
    return tuple(found)


def _table(draw: st.DrawFn, name: str, parents: Sequence[str], index_names: Sequence[str]) -> Table:
    """Draw a table called ``name``, with foreign keys to ``parents``, to itself or to missing tables."""
    columns = draw(_COLUMN_NAMES)
    plain = columns[:1] + [column for column in columns[1:] if draw(_NUMBERS) % 4]
    place = _Place(table=name, columns=tuple(columns), plain=tuple(plain))
    strict, without_rowid = draw(_NUMBERS) % 5 == 0, draw(_NUMBERS) % 5 == 0
    declared = _columns(draw, place, strict=strict)
    key = _primary_key(draw, place, declared, without_rowid=without_rowid)
    return Table(
        name=name,
        columns=declared,
        primary_key=key,
        uniques=_uniques(draw, place, key),
        checks=_checks(draw, place),
        foreign_keys=_foreign_keys(draw, place, parents),
        indexes=_indexes(draw, place, index_names),
        strict=strict,
        without_rowid=without_rowid,
        comment=_maybe(draw, ("What it holds", "several\nlines")),
    )


# --- Views, triggers and virtual tables -------------------------------------------------------------------------------

_SELECTS = (
    "SELECT {columns} FROM {table}",
    "SELECT {columns} FROM {table} WHERE {column} <> 'it''s; no' -- why\nORDER BY 1",
    "WITH w AS (SELECT {columns} FROM {table}) SELECT * FROM w UNION ALL SELECT {columns} FROM {table}",
    "SELECT {cases} FROM {table} AS t LEFT JOIN {table} AS u ON t.{column} = u.{column} GROUP BY 1 HAVING count(*) > 1",
)
_BODIES = (
    "INSERT INTO {table} ({column}) VALUES ({row}.{column});",
    "UPDATE {table} SET {column} = CASE WHEN {row}.{column} IS NULL THEN 'a;b' ELSE 'c' END WHERE {column} = 'x';",
    "DELETE FROM {table} WHERE {column} = {row}.{column};\n  SELECT RAISE(ABORT, 'no; END');",
    "SELECT CASE WHEN {row}.{column} THEN RAISE(FAIL, 'it''s') END;",
    "INSERT OR REPLACE INTO {table} ({column}) SELECT {column} FROM {table} /* ; */ WHERE 1 -- done;\n;",
)


def _view(draw: st.DrawFn, name: str, table: Table, known: frozenset[str]) -> View:
    columns = [column.name for column in table.columns]
    spelled = ", ".join(map(quote_name, columns))
    select = _one(draw, _SELECTS).format(
        columns=spelled,
        table=quote_name(table.name),
        column=quote_name(columns[0]),
        cases=", ".join(f"CASE t.{quote_name(column)} WHEN 1 THEN 'END' ELSE 0 END" for column in columns),
    )
    listed = f" ({', '.join(f'c{at}' for at in range(len(columns)))})" if draw(_BOOLEANS) else ""
    return ddl.read_view(name, f"CREATE VIEW {quote_name(name)}{listed} AS {select}", known)


def _trigger(draw: st.DrawFn, name: str, target: Table | View, table: Table, known: frozenset[str]) -> Trigger:
    column = quote_name(table.columns[0].name)
    of_column = f"UPDATE OF {column}" if isinstance(target, Table) else "UPDATE OF c0"
    event = _one(draw, ("INSERT", "UPDATE", "DELETE", of_column))
    times = ["BEFORE ", "AFTER ", ""] if isinstance(target, Table) else ["INSTEAD OF "]
    row = "old" if event == "DELETE" else "new"
    when = _one(draw, ("", f" WHEN {row}.{column} IS NOT 'x;'")) if isinstance(target, Table) else ""
    each = _one(draw, ("", " FOR EACH ROW"))
    bodies = _some(draw, _BODIES, 2)
    body = "\n  ".join(body.format(table=quote_name(table.name), column=column, row=row) for body in bodies)
    sql = (
        f"CREATE TRIGGER {quote_name(name)} {_one(draw, times)}{event} ON {quote_name(target.name)}{each}{when} "
        f"BEGIN\n  {body}\nEND"
    )
    return ddl.read_trigger(name, sql, known)


_MODULES = (
    "fts5(title, body, tokenize = 'porter ascii')",
    "fts5(body, content='')",
    "fts4(subject, tokenize=porter)",
    "rtree(id, min_x, max_x, +label)",
)


def _virtual_tables(draw: st.DrawFn) -> tuple[VirtualTable, ...]:
    chosen = _some(draw, _MODULES, 2) if draw(_BOOLEANS) else []
    names_of = ("full text Index", "virtual_table_2")
    return tuple(
        ddl.read_virtual_table(name, f"CREATE VIRTUAL TABLE {quote_name(name)} USING {module}")
        for name, module in zip(names_of, chosen, strict=False)
    )


@st.composite
def schemas(draw: st.DrawFn, *, virtual: bool = True) -> Schema:
    """Draw a whole schema; ``virtual`` allows virtual tables, whose text only their module can respell."""
    names = draw(_OBJECT_NAMES)
    table_names, view_name, index_names = names[:-3], names[-3], names[-2:]
    tables = []
    for at, name in enumerate(table_names):
        of_table = index_names[at : at + 1] if at < len(table_names) - 1 else index_names[at:]
        tables.append(_table(draw, name, table_names, of_table))
    trigger_names = draw(_TRIGGER_NAMES)
    known = frozenset([*names, *trigger_names, *(column.name for table in tables for column in table.columns)])
    views = (_view(draw, view_name, tables[-1], known),) if draw(_BOOLEANS) else ()
    targets: list[Table | View] = [tables[0], *views]
    return Schema(
        tables=tuple(tables),
        views=views,
        triggers=tuple(_trigger(draw, name, _one(draw, targets), tables[-1], known) for name in trigger_names),
        virtual_tables=_virtual_tables(draw) if virtual else (),
    )
