"""Rules about the types, values and defaults of columns."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, path_to, rule
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold


@rule(
    Severity.ERROR,
    good="""
    tables:
      tasks:
        columns:
          id: {type: integer, primary_key: true}
          rank: {type: integer, nullable: false, default: 1}
          weight: {type: real, nullable: false, default: 0.5}
          created_at: {type: timestamp, nullable: false, default_sql: unixepoch()}
          changed_at: {type: text, nullable: false, default_sql: CURRENT_TIMESTAMP}
    """,
    mistakes={
        "default: 1": "default: first",
        "default: 0.5": "default: heavy",
        "default_sql: CURRENT_TIMESTAMP": "default: CURRENT_TIMESTAMP",
        "default_sql: unixepoch()": "default_sql: CURRENT_TIMESTAMP",
    },
)
def default_type(linted: Linted) -> Iterator[Found]:
    """A default doesn't fit the type of its column.

    SQLite stores such a default unchanged: text in a column of numbers, or the text 'CURRENT_TIMESTAMP' instead of the
    time. The mistake shows only when a program reads the value.

    Correct the default: `default` is a value, `default_sql` an expression, such as `unixepoch()`.
    """
    for table, column in linted.columns():
        if column.default is not None and (fault := _fault(column, column.default.sql.strip())):
            yield Found(path_to(table.name, column.name), *fault)


_TEXT = re.compile(r"'((?:[^']|'')*)'\Z|\"([^\"]*)\"\Z", re.DOTALL)
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*\Z", re.IGNORECASE)
#: Text that looks like an SQL expression, which SQLite would not compute.
_QUOTED_SQL = re.compile(r"\s*(?:NULL|CURRENT_(?:TIMESTAMP|DATE|TIME)|\w+\(.*\))\s*\Z", re.IGNORECASE | re.DOTALL)
#: The expressions for the current time. Their values are text.
_CURRENT_TIME = re.compile(r"\(?\s*CURRENT_(?:TIMESTAMP|DATE|TIME)\s*\)?\Z", re.IGNORECASE)
#: Words in the declared types of columns for numbers. DATE is missing, because its values may be text.
_NUMBER_TYPES = re.compile(r"INT|REAL|FLOA|DOUB|NUMERIC|DECIMAL|BOOL")


def _fault(column: Column, default: str) -> tuple[str, str] | None:
    """Return a problem and its fix if ``default`` doesn't fit ``column``, else None."""
    declared = (column.type or "").upper()
    match = _TEXT.match(default)
    text = "" if match is None else match[1] or match[2] or ""
    what = f"the default {default} is text, and the column is {column.type}."
    if "INT" in declared and _CURRENT_TIME.match(text or default):
        return what, "For Unix seconds, write `default_sql: unixepoch()`."
    if _QUOTED_SQL.match(text):
        return f"the default is the text {default}, not its value as SQL.", f"Write `default_sql: {text}`."
    if _NUMBER_TYPES.search(declared) and match is not None and not _NUMBER.match(text):
        return what, "Write a number."
    return None


@rule(
    Severity.WARNING,
    good="""
    tables:
      tasks:
        columns:
          id: {type: integer, primary_key: true}
          status: {type: text, nullable: false, default: open, enum: [open, done]}
    """,
    mistakes={", enum: [open, done]": ""},
)
def enum_without_list(linted: Linted) -> Iterator[Found]:
    """A column holds one of a few words, but accepts any text.

    A column called status, state, kind or role takes its values from a list that only the application knows. A typo, or
    another version of the application, can then write anything.

    Declare the list with `enum`: the name of the application's enum, or the values.
    """
    roles_have_table = any(_snake_case(table.name).endswith("roles") for table in linted.schema.tables)
    for table, column in linted.columns():
        is_reference = roles_have_table and _snake_case(column.name).endswith("role")
        if _is_enum(table, column) and not _is_checked(table, column) and not is_reference:
            what = "the column takes its values from a list, but accepts any text."
            yield Found(path_to(table.name, column.name), what, "Declare the list with `enum`.")


#: Names of columns that hold one of a few words.
_ENUM_NAMES = re.compile(r"(?:.*_)?(?:status|kind|role|mode|severity)\Z|state\Z")
#: Names of columns that often hold one of a few words. The rule reports them only if their default is a word.
_POSSIBLE_ENUM_NAMES = re.compile(r"(?:.*_)?(?:type|state|level|direction|priority)\Z")
#: Names of columns whose values come from other programs, and may be anything.
_EXTERNAL_NAMES = re.compile(
    r"(?:.*_)?(?:attestation|auth|billing|content|event|file|home|image|link|media|mime|notification|reaction|session|"
    r"ship|shipping|token)_\w+\Z"
)
#: Columns that show what `state` or `type` means in their table: a part of an address or of a login, or a type of file.
_ADDRESS_OR_LOGIN = frozenset("city country zip zip_code postal_code region nonce code_verifier code_challenge".split())
_FILE = frozenset("filename file_name blob mime_type".split())
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"'[A-Za-z][\w-]*'\Z")


def _snake_case(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _is_enum(table: Table, column: Column) -> bool:
    """Return whether ``column`` probably holds one of a few words, judged by its name and its default."""
    name, names = _snake_case(column.name), {_snake_case(other.name) for other in table.columns}
    if affinity(column.type) != "TEXT" or column.generated is not None or _EXTERNAL_NAMES.match(name):
        return False
    if (name == "state" and names & _ADDRESS_OR_LOGIN) or (name == "type" and names & _FILE):
        return False
    has_word = column.default is not None and _WORD.match(column.default.sql) is not None
    return _ENUM_NAMES.match(name) is not None or (has_word and _POSSIBLE_ENUM_NAMES.match(name) is not None)


def _is_checked(table: Table, column: Column) -> bool:
    """Return whether a key or a CHECK limits the values of ``column``."""
    name = fold(column.name)
    keys = [key.columns for key in (table.primary_key, *table.uniques, *table.foreign_keys) if key is not None]
    is_key = any((name,) == tuple(map(fold, key)) for key in keys)
    return is_key or any(name in fold(check.expression.sql) for check in table.checks)


@rule(
    Severity.WARNING,
    good="""
    tables:
      products:
        columns:
          id: {type: integer, primary_key: true}
          number: {type: text, nullable: false}
    """,
    mistakes={"number: {type: text": "number: {type: STRING"},
)
def misleading_type(linted: Linted) -> Iterator[Found]:
    """A type that suggests text stores numbers.

    SQLite derives from the letters of a declared type how a column stores values. STRING and UUID have none of the
    words CHAR, CLOB and TEXT, so they store text that looks like a number as a number: `'007'` becomes `7`, `'1e5'`
    becomes `100000`, and a UUID of digits loses some digits. FLOATING POINT stores integers, because it ends in INT.
    See [Determination of column affinity](https://www.sqlite.org/datatype3.html#determination_of_column_affinity).

    Declare the type as `text`, `uuid` or `real`.
    """
    for table, column in linted.columns():
        declared = (column.type or "").upper()
        if affinity(declared, strict=table.strict) != "NUMERIC":
            continue
        path = path_to(table.name, column.name)
        if re.match(r"(?:.*STRING|UUID|GUID|ENUM|HEX|BASE64)\b", declared, re.ASCII):
            what = f"the type {column.type} stores text that looks like a number as a number."
            yield Found(path, what, "Declare the type as `text`.")
        elif "POINT" in declared and "FLOAT" in declared:
            yield Found(path, f"the type {column.type} stores integers.", "Declare the type as `real`.")


@rule(
    Severity.ERROR,
    good="""
    tables:
      tasks:
        columns:
          id: {type: integer, primary_key: true}
          rank: integer
    """,
    mistakes={"rank: integer": "rank: interger"},
)
def unknown_type(linted: Linted) -> Iterator[Found]:
    """A type is misspelled.

    SQLite accepts any word as a type, and derives from its letters how values are stored. So `INTERGER` is not an
    error, but a primary key of this type is not an alias of the rowid.

    Correct the spelling.
    """
    for table, column in linted.columns():
        match = re.match(r"[A-Za-z_]\w*", column.type or "")
        if match is None or (word := match[0].lower()) in _KNOWN_TYPES:
            continue
        # A type that resembles no known one is deliberate.
        for close in difflib.get_close_matches(word, _KNOWN_TYPES, n=1, cutoff=0.8):
            meant = "text" if close == "string" else close  # STRING would store numbers
            what, fix = f"the type {column.type} is unknown.", f"Did you mean `{meant}`?"
            yield Found(path_to(table.name, column.name), what, fix)


#: Types of SQLite and of other databases, whose schemas are often carried over.
_KNOWN_TYPES = frozenset(
    """
    any bigint bigserial binary bit blob bool boolean bytea bytes char character cidr clob date datetime datetimeoffset
    decimal double enum fixed float float4 float8 guid image inet int int1 int2 int3 int4 int8 integer interval json
    jsonb long longblob longtext mediumblob mediumint mediumtext money national nchar nclob ntext number numeric
    nvarchar nvarchar2 precision raw real rowversion serial set short single smalldatetime smallint smallmoney
    smallserial string text time timestamp timestamptz timetz tinyblob tinyint tinytext tsvector uint uint16 uint32
    uint64 uint8 int16 int32 int64 unsigned uuid varbinary varchar varchar2 varying varyingcharacter xml year
    """.split()
)
