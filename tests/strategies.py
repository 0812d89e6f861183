"""Random schemas over everything the model can hold, valid by construction, for property tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from waiaas_migrate.sqlite import ddl
from waiaas_migrate.sqlite.quoting import quote_name

Draw = Callable[[st.SearchStrategy[object]], object]

#: Names that have been someone's trouble: keywords of SQLite and of sqlparse, quotes, YAML's own words, non-ASCII.
NASTY_NAMES = (
    "order select group index table values key check default references unique primary foreign on no null true yes off y "
    "if end begin loop declare do for go while case 1 1:30 0777 1e5 2020-01-01 ~ = << é 日本 Straße Ünïcode naïve🙂 a.b a-b "
    "rowid new old text integer"
).split()
NASTY_NAMES += ["a b", 'say "hi"', "it's", "`tick`", "[x]", "x]y", "#tag", "a: b", "a #b", "back\\slash", "end\\", "--", "/*", "a;b"]
_LETTERS = "abXY_09 \"'`[]#.;-%$é日"

_TYPES = (
    *("TEXT", "INTEGER", "REAL", "BLOB", "NUMERIC", "integer", "VARCHAR(50)", "DECIMAL(10, 2)", "BOOLEAN", "timestamp"),
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
    *("({a} = 1) OR ({b} = 2)", "{a} IN ()", "typeof({a}) IN ('text')", "{a} NOT NULL", "{a} -> '$.x' IS 1", "-{a} < ~{b}"),
)
_PREDICATES = ("{a} IS NOT NULL", "{a} > 5 AND {b} <> 'x;y'", "{a} IN ('no', 'yes')", "app_valid({a})")
_INDEXED = ("lower({a})", "{a} + {b}", "{a} || 'x' COLLATE NOCASE", "CASE {a} WHEN 1 THEN 2 END", "app_key({a})", "-{a}")
_GENERATED = ("{a} + 1", "coalesce({a}, 'none')", "app_key({a})", "CASE WHEN {a} THEN 'x' END", "{a} || ', ' || {b}")


def _is_usable(name: str) -> bool:
    return bool(name.strip()) and not fold(name).startswith(("sqlite_", "_yoyo", "yoyo_"))


def names() -> st.SearchStrategy[str]:
    """Names of columns and objects."""
    return st.one_of(
        st.from_regex(r"[a-z][a-z_]{0,5}", fullmatch=True),
        st.sampled_from(NASTY_NAMES),
        st.text(_LETTERS, min_size=1, max_size=6),
    ).filter(_is_usable)


def _unique_names(least: int, most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(names(), min_size=least, max_size=most, unique_by=fold)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What a part of a table is drawn for: the table, all its columns, and those of them that hold values."""

    table: str
    columns: tuple[str, ...]
    plain: tuple[str, ...]

    def expression(self, template: str, first: str, second: str) -> SqlText:
        return ddl.expression(template.format(a=quote_name(first), b=quote_name(second)), self.columns)


def _maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


_CONFLICTS = st.none() | st.sampled_from(list(Conflict))
_CONSTRAINT_NAMES = st.none() | st.none() | names()


def default_text(sql: str) -> SqlText:
    """A default, which is a string where it is a word that is no literal."""
    word = ddl.names_in(sql)
    is_string = sql in DEFAULTS["bare word"] and word
    key = ddl.expression("'" + sql.strip('"[]`') + "'" if is_string else sql).key
    return SqlText(sql=sql, key=key)


@st.composite
def _expressions(draw: st.DrawFn, templates: Sequence[str], place: _Place, *, plain: bool = False) -> SqlText:
    among = st.sampled_from(place.plain if plain else place.columns)
    return place.expression(draw(st.sampled_from(templates)), draw(among), draw(among))


@st.composite
def _columns(draw: st.DrawFn, place: _Place, *, strict: bool) -> tuple[Column, ...]:
    found = []
    for name in place.columns:
        generated = default = None
        if name not in place.plain:
            generated = Generated(
                expression=draw(_expressions(_GENERATED, place, plain=True)), stored=draw(st.booleans())
            )
        elif draw(st.booleans()):
            default = default_text(draw(st.sampled_from(DEFAULTS[draw(st.sampled_from(list(DEFAULTS)))])))
        not_null = draw(st.none() | st.builds(NotNull, on_conflict=_CONFLICTS, name=_CONSTRAINT_NAMES))
        column = Column(
            name=name,
            type=draw(st.sampled_from(_STRICT_TYPES) if strict else st.none() | st.sampled_from(_TYPES)),
            not_null=not_null,
            default=default,
            collation=draw(st.none() | st.none() | st.sampled_from(_COLLATIONS)),
            generated=generated,
            comment=draw(st.none() | st.sampled_from(["What it is for", "two\nlines", "it's: #1"])),
        )
        found.append(column)
    return tuple(found)


@st.composite
def _key_parts(draw: st.DrawFn, columns: Sequence[str]) -> tuple[IndexPart, ...]:
    chosen = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=3, unique=True))
    collations = st.none() | st.none() | st.sampled_from(_COLLATIONS)
    return tuple(
        IndexPart(column=column, collation=draw(collations), descending=draw(st.booleans())) for column in chosen
    )


@st.composite
def _primary_keys(
    draw: st.DrawFn, place: _Place, columns: Sequence[Column], *, without_rowid: bool
) -> PrimaryKey | None:
    if not without_rowid and draw(st.integers(0, 3)) == 0:
        return None
    parts = draw(_key_parts(place.plain))
    inline = len(parts) == 1 and parts[0].collation is None and draw(st.booleans())
    only = next(column for column in columns if column.name == parts[0].column)
    is_integer = len(parts) == 1 and fold(only.type or "") == "integer" and not without_rowid
    if is_integer and not inline:
        # SQLite takes the rowid for the key, and with it neither order nor collation means anything.
        parts = (IndexPart(column=only.name),)
    autoincrement = is_integer and not (inline and parts[0].descending) and draw(st.booleans())
    return PrimaryKey(
        parts=parts,
        autoincrement=autoincrement,
        on_conflict=draw(_CONFLICTS),
        name=draw(_CONSTRAINT_NAMES),
        inline=inline,
    )


@st.composite
def _uniques(draw: st.DrawFn, place: _Place, key: PrimaryKey | None) -> tuple[Unique, ...]:
    """UNIQUE constraints over different columns: of two over the same, SQLite refuses different conflict clauses."""
    taken = [{part.column for part in key.parts}] if key is not None else []
    found = []
    for _ in range(draw(st.integers(0, 2))):
        parts = draw(_key_parts(place.columns))
        columns = {part.column for part in parts}
        if columns in taken:
            continue
        taken.append(columns)
        inline = len(parts) == 1 and draw(st.booleans())
        if inline:
            parts = (IndexPart(column=parts[0].column),)
        conflict, name = draw(_CONFLICTS), draw(_CONSTRAINT_NAMES)
        found.append(Unique(parts=parts, on_conflict=conflict, name=name, inline=inline))
    return tuple(found)


@st.composite
def _checks(draw: st.DrawFn, place: _Place) -> tuple[Check, ...]:
    found = []
    for _ in range(draw(st.integers(0, 3))):
        expression, name = draw(_expressions(_CHECKS, place)), draw(_CONSTRAINT_NAMES)
        found.append(Check(expression=expression, name=name, column=draw(st.none() | st.sampled_from(place.columns))))
    return tuple(found)


@st.composite
def _foreign_keys(draw: st.DrawFn, place: _Place, parents: Sequence[str]) -> tuple[ForeignKey, ...]:
    found = []
    for _ in range(draw(st.integers(0, 2))):
        columns = tuple(draw(st.lists(st.sampled_from(place.columns), min_size=1, max_size=2, unique=True)))
        targets = st.lists(st.sampled_from(place.columns) | names(), min_size=len(columns), max_size=len(columns))
        key = ForeignKey(
            columns=columns,
            table=draw(st.sampled_from([*parents, place.table]) | names()),
            targets=tuple(draw(st.just([]) | targets)),
            on_delete=draw(st.none() | st.sampled_from(list(Action))),
            on_update=draw(st.none() | st.sampled_from(list(Action))),
            match=draw(st.none() | st.none() | st.sampled_from(["FULL", "simple"])),
            deferral=draw(st.none() | st.sampled_from(list(Deferral))),
            name=draw(_CONSTRAINT_NAMES),
            inline=len(columns) == 1 and draw(st.booleans()),
        )
        found.append(key)
    return tuple(found)


@st.composite
def _indexes(draw: st.DrawFn, place: _Place, index_names: Sequence[str]) -> tuple[Index, ...]:
    found = []
    for name in index_names:
        parts = [*draw(_key_parts(place.columns))]
        if draw(st.booleans()):
            parts.append(IndexPart(expression=draw(_expressions(_INDEXED, place)), descending=draw(st.booleans())))
        where = draw(st.none() | _expressions(_PREDICATES, place))
        found.append(Index(name=name, parts=tuple(parts), unique=draw(st.booleans()), where=where))
    return tuple(found)


@st.composite
def tables(draw: st.DrawFn, name: str, parents: Sequence[str] = (), index_names: Sequence[str] = ()) -> Table:
    """A table called ``name``, whose foreign keys refer to ``parents``, to itself or to what is not there."""
    columns = draw(_unique_names(1, 4))
    plain = columns[:1] + [column for column in columns[1:] if draw(st.integers(0, 3))]
    place = _Place(table=name, columns=tuple(columns), plain=tuple(plain))
    strict, without_rowid = draw(st.integers(0, 4)) == 0, draw(st.integers(0, 4)) == 0
    declared = draw(_columns(place, strict=strict))
    key = draw(_primary_keys(place, declared, without_rowid=without_rowid))
    return Table(
        name=name,
        columns=declared,
        primary_key=key,
        uniques=draw(_uniques(place, key)),
        checks=draw(_checks(place)),
        foreign_keys=draw(_foreign_keys(place, parents)),
        indexes=draw(_indexes(place, index_names)),
        strict=strict,
        without_rowid=without_rowid,
        comment=draw(st.none() | st.sampled_from(["What it holds", "several\nlines"])),
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


@st.composite
def _views(draw: st.DrawFn, name: str, table: Table, known: frozenset[str]) -> View:
    columns = [column.name for column in table.columns]
    spelled = ", ".join(map(quote_name, columns))
    select = draw(st.sampled_from(_SELECTS)).format(
        columns=spelled,
        table=quote_name(table.name),
        column=quote_name(columns[0]),
        cases=", ".join(f"CASE t.{quote_name(column)} WHEN 1 THEN 'END' ELSE 0 END" for column in columns),
    )
    listed = f" ({', '.join(f'c{at}' for at in range(len(columns)))})" if draw(st.booleans()) else ""
    return ddl.view(name, f"CREATE VIEW {quote_name(name)}{listed} AS {select}", known)


@st.composite
def _triggers(draw: st.DrawFn, name: str, target: Table | View, table: Table, known: frozenset[str]) -> Trigger:
    column = quote_name(table.columns[0].name)
    of_column = f"UPDATE OF {column}" if isinstance(target, Table) else "UPDATE OF c0"
    event = draw(st.sampled_from(["INSERT", "UPDATE", "DELETE", of_column]))
    times = ["BEFORE ", "AFTER ", ""] if isinstance(target, Table) else ["INSTEAD OF "]
    row = "old" if event == "DELETE" else "new"
    when = draw(st.sampled_from(["", f" WHEN {row}.{column} IS NOT 'x;'"])) if isinstance(target, Table) else ""
    each = draw(st.sampled_from(["", " FOR EACH ROW"]))
    bodies = draw(st.lists(st.sampled_from(_BODIES), min_size=1, max_size=2))
    body = "\n  ".join(body.format(table=quote_name(table.name), column=column, row=row) for body in bodies)
    sql = (
        f"CREATE TRIGGER {quote_name(name)} {draw(st.sampled_from(times))}{event} ON {quote_name(target.name)}{each}{when} "
        f"BEGIN\n  {body}\nEND"
    )
    return ddl.trigger(name, sql, known)


_MODULES = (
    "fts5(title, body, tokenize = 'porter ascii')",
    "fts5(body, content='')",
    "fts4(subject, tokenize=porter)",
    "rtree(id, min_x, max_x, +label)",
)


@st.composite
def _virtual_tables(draw: st.DrawFn) -> tuple[VirtualTable, ...]:
    chosen = draw(st.lists(st.sampled_from(_MODULES), max_size=2, unique=True))
    names_of = ("search Index", "virtual_2")
    return tuple(
        ddl.virtual_table(name, f"CREATE VIRTUAL TABLE {quote_name(name)} USING {module}")
        for name, module in zip(names_of, chosen, strict=False)
    )


@st.composite
def schemas(draw: st.DrawFn, *, virtual: bool = True) -> Schema:
    """A whole schema."""
    called = draw(_unique_names(4, 7).filter(lambda found: not {"search index", "virtual_2"} & set(map(fold, found))))
    table_names, view_name, index_names = called[: len(called) - 3], called[-3], called[-2:]
    found = []
    for at, name in enumerate(table_names):
        of_table = index_names[at : at + 1] if at < len(table_names) - 1 else index_names[at:]
        found.append(draw(tables(name, table_names, of_table)))
    trigger_names = draw(_unique_names(0, 2))
    known = frozenset([*called, *trigger_names, *(column.name for table in found for column in table.columns)])
    virtual_tables = draw(_virtual_tables()) if virtual else ()
    views = (draw(_views(view_name, found[-1], known)),) if draw(st.booleans()) else ()
    targets: list[Table | View] = [found[0], *views]
    triggers = tuple(
        draw(_triggers(name, draw(st.sampled_from(targets)), found[-1], known)) for name in trigger_names
    )
    return Schema(tables=tuple(found), views=views, triggers=triggers, virtual_tables=virtual_tables)
