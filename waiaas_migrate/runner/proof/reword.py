"""Replace the text of definitions in the catalog by the text in the migrations, if both have the same meaning.

A migration that edits a definition searches the catalog for a piece of the definition's text. So the migration fails on
a table that another tool created with other spacing, quotes or case. If both texts have the same meaning, one may
replace the other (https://www.sqlite.org/pragma.html#pragma_writable_schema).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog

#: The kind and the name of a definition, such as ``("table", "users")``; the name isn't folded.
Definition = tuple[str, str]

_COLUMNS = "SELECT lower(name), pk, hidden FROM pragma_table_xinfo(?, 'main') ORDER BY cid"
#: SQLite finds the index of a key by the key's position in the text, so the order of the keys must be the same.
_KEYS = """
    SELECT lower(i.name), x.seqno, lower(x.name), x."desc", lower(x.coll)
    FROM pragma_index_list(?, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS x
    WHERE i.origin <> 'c' ORDER BY i.name, x.seqno
"""


def find_new_texts(
    connection: sqlite3.Connection, applied: Sequence[MigrationFile], subjects: Collection[tuple[str, str]]
) -> tuple[dict[Definition, str], tuple[str, ...]]:
    """Return the texts to write into the catalog, and the names of the tables that must keep their texts.

    ``subjects`` are the kinds and folded names of definitions whose meaning is the same in the database and in the
    migrations. A table must keep its text if its columns or keys are in another order.
    """
    with Replay(applied) as replay:
        wanted = replay.run(applied).connection
        texts = {(row.kind, row.name): row.sql for row in read_catalog(wanted)}
        differing = [
            (row.kind, row.name)
            for row in read_catalog(connection)
            if (row.kind, fold(row.name)) in subjects and texts.get((row.kind, row.name), row.sql) != row.sql
        ]
        unchanged = tuple(
            name
            for kind, name in differing
            if kind == "table" and _column_and_key_order(connection, name) != _column_and_key_order(wanted, name)
        )
    return {one: texts[one] for one in differing if one[0] != "table" or one[1] not in unchanged}, unchanged


def _column_and_key_order(connection: sqlite3.Connection, table: str) -> list[object]:
    return [connection.execute(query, (table,)).fetchall() for query in (_COLUMNS, _KEYS)]


def write_texts(connection: sqlite3.Connection, texts: Mapping[Definition, str]) -> bool:
    """Write ``texts`` into the catalog; return False, and write nothing, if SQLite refuses edits of the catalog."""
    connection.execute("SAVEPOINT reword")
    connection.execute("PRAGMA writable_schema = ON")
    try:
        for definition, sql in texts.items():
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE type = ? AND name = ?", (sql, *definition))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH):
            raise
        connection.execute("ROLLBACK TO reword")  # a migration that must edit the catalog reports this itself
        return False
    else:
        # Creating a table makes other connections read all definitions again.
        connection.execute("CREATE TABLE _waiaas_cookie (x)")
        connection.execute("DROP TABLE _waiaas_cookie")
        return True
    finally:
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("RELEASE reword")
