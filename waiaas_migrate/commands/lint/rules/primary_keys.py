"""Rules about primary keys."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, path_to, rule
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import rowid_alias


@rule(
    Severity.INFO,
    good="""
    tables:
      books:
        columns:
          id: {type: integer, primary_key: true}
      tags:
        columns:
          id: {type: integer, primary_key: true}
      book_tags:
        columns:
          id: {type: integer, primary_key: true}
          book_id: {type: integer, nullable: false, references: books.id}
          tag_id: {type: integer, nullable: false, references: tags.id}
        indexes:
          idx_book_tags_book_id: [book_id]
          idx_book_tags_tag_id: [tag_id]
    """,
    mistakes={"primary_key: true}\n      book_id": "primary_key: true, autoincrement: true}\n      book_id"},
)
def autoincrement(linted: Linted) -> Iterator[Found]:
    """A join table has AUTOINCREMENT.

    INTEGER PRIMARY KEY numbers rows by itself. AUTOINCREMENT only keeps the number of a deleted row from being used
    again. In return, every insert also reads and writes the table `sqlite_sequence`. See [SQLite
    Autoincrement](https://www.sqlite.org/autoinc.html). A row that only links rows of other tables needs no
    number of its own.

    Remove AUTOINCREMENT, or make the foreign keys the primary key.
    """
    parents = {fold(key.table) for _, key in linted.foreign_keys()}
    for table in linted.schema.tables:
        if table.primary_key is None or not table.primary_key.autoincrement or fold(table.name) in parents:
            continue
        linking = {fold(column) for key in table.foreign_keys for column in key.columns}
        other_columns = {fold(column.name) for column in table.columns} - linking - {rowid_alias(table)}
        if len(table.foreign_keys) > 1 and not other_columns:
            what = "AUTOINCREMENT makes each insert write sqlite_sequence, too, and nothing refers to the numbers."
            yield Found(path_to(table.name), what, "Remove AUTOINCREMENT.")


@rule(
    Severity.WARNING,
    good="""
    tables:
      users:
        columns:
          id: {type: integer, primary_key: true}
    """,
    mistakes={"type: integer": "type: BIGINT, nullable: false"},
)
def int_primary_key(linted: Linted) -> Iterator[Found]:
    """A primary key looks like an alias of the rowid, but isn't one.

    Only the type INTEGER, spelled out, makes a single-column primary key the rowid of its table. With INT, BIGINT or
    another type, and with INTEGER PRIMARY KEY DESC, SQLite keeps a separate index, doesn't choose a number if none is
    given, and stores NULL instead. See [ROWIDs and the INTEGER PRIMARY
    KEY](https://www.sqlite.org/lang_createtable.html#rowid).

    Declare the type `integer`.
    """
    for table in linted.schema.tables:
        column, key = _false_alias(table), table.primary_key
        if column is not None and key is not None:
            spelled = f"{column.type} PRIMARY KEY{' DESC' if key.parts[0].descending else ''}"
            what = f"{spelled} is not an alias of the rowid, so SQLite chooses no number for a new row."
            fix = "Declare it `{type: integer, primary_key: true}`."
            yield Found(path_to(table.name, column.name), what, fix)


def _false_alias(table: Table) -> Column | None:
    """Return the single column of a primary key that looks like an alias of the rowid, but isn't one.

    A column that is also a foreign key doesn't count: its numbers come from the parent table.
    """
    key = table.primary_key
    if key is None or len(key.parts) != 1 or table.without_rowid or rowid_alias(table) is not None:
        return None
    name = fold(key.columns[0])
    if any(name in map(fold, foreign_key.columns) for foreign_key in table.foreign_keys):
        return None
    column = table.column(name)
    return column if column is not None and "INT" in (column.type or "").upper() else None


@rule(
    Severity.WARNING,
    good="""
    tables:
      settings:
        columns:
          name: {type: text, nullable: false, primary_key: true}
          value: text
    """,
    mistakes={", primary_key: true": ""},
)
def missing_primary_key(linted: Linted) -> Iterator[Found]:
    """A table has no primary key.

    Nothing then identifies a row, or keeps it from being inserted twice. Other tables can't refer to it, and
    replication tools can't follow it. A table with another unique key, or with a single column, is not reported.

    Declare the columns that identify a row as `primary_key`, or add `id: {type: integer, primary_key: true}`, which
    costs no space.
    """
    for table in linted.schema.tables:
        is_list_of_values = len(table.columns) == 1
        if not table.unique_keys and not is_list_of_values:
            yield Found(path_to(table.name), "the table has no primary key.", "Declare one.")


@rule(
    Severity.WARNING,
    good="""
    tables:
      users:
        columns:
          id: {type: text, primary_key: true, nullable: false}
      events:
        columns:
          id: {type: integer, primary_key: true}
    """,
    mistakes={", nullable: false": ""},
)
def nullable_primary_key(linted: Linted) -> Iterator[Found]:
    """A column of the primary key accepts NULL.

    In SQLite, PRIMARY KEY doesn't imply NOT NULL, except for INTEGER PRIMARY KEY, and in STRICT and WITHOUT ROWID
    tables. Because NULL differs from NULL, any number of rows can have the key NULL, and no foreign key can refer to
    them. See [Primary keys can sometimes contain
    NULLs](https://www.sqlite.org/quirks.html#primary_keys_can_sometimes_contain_nulls).

    Declare the column `nullable: false`.
    """
    for table in linted.schema.tables:
        key = table.primary_key
        if key is None or table.strict or table.without_rowid or rowid_alias(table) is not None:
            continue
        columns = filter(None, map(table.column, key.columns))
        names = tuple(column.name for column in columns if column.not_null is None)
        if names and _false_alias(table) is None:  # `int_primary_key` reports a false alias; its fix excludes NULL, too
            what = f"the primary key accepts NULL in {', '.join(names)}."
            yield Found(path_to(table.name, *names), what, "Declare it `nullable: false`.")
