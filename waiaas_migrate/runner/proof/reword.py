"""Replace the texts of definitions by those in the migrations, if both mean the same.

An edit of a definition looks for a piece of its text, so it fails on a table that another tool made with other spacing,
quotes or case. If both texts mean the same, one may replace the other in the catalog
(https://www.sqlite.org/pragma.html#pragma_writable_schema).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import read_catalog

#: A definition, by its kind and its name as it is spelled.
Definition = tuple[str, str]

_COLUMNS = "SELECT lower(name), pk, hidden FROM pragma_table_xinfo(?, 'main') ORDER BY cid"
#: SQLite finds the index of a key by the key's place in the text, so both texts must have their keys in one order.
_KEYS = """
    SELECT lower(i.name), x.seqno, lower(x.name), x."desc", lower(x.coll)
    FROM pragma_index_list(?, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS x
    WHERE i.origin <> 'c' ORDER BY i.name, x.seqno
"""


def other_texts(
    connection: sqlite3.Connection, applied: Sequence[MigrationFile], subjects: Collection[tuple[str, str]]
) -> tuple[dict[Definition, str], tuple[str, ...]]:
    """Return the texts that ``subjects`` should get, and the names of the tables that must keep theirs.

    ``subjects`` are kinds and folded names of definitions that mean the same in both. A table with its columns or keys
    in another order keeps its text.
    """
    with Replay(applied) as replay:
        wanted = replay.run(applied).connection
        texts = {(row.kind, row.name): row.sql for row in read_catalog(wanted)}
        differing = [
            (row.kind, row.name)
            for row in read_catalog(connection)
            if (row.kind, fold(row.name)) in subjects and texts.get((row.kind, row.name), row.sql) != row.sql
        ]
        kept = tuple(
            name for kind, name in differing if kind == "table" and _order(connection, name) != _order(wanted, name)
        )
    return {one: texts[one] for one in differing if one[0] != "table" or one[1] not in kept}, kept


def _order(connection: sqlite3.Connection, table: str) -> list[object]:
    return [connection.execute(query, (table,)).fetchall() for query in (_COLUMNS, _KEYS)]


def write_texts(connection: sqlite3.Connection, texts: Mapping[Definition, str]) -> bool:
    """Write ``texts`` into the catalog; return whether this connection may do so."""
    connection.execute("SAVEPOINT reword")
    connection.execute("PRAGMA writable_schema = ON")
    try:
        for definition, sql in texts.items():
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE type = ? AND name = ?", (sql, *definition))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH):
            raise
        connection.execute("ROLLBACK TO reword")  # if the migration must edit the catalog, its error says so
        return False
    else:
        # Any CREATE makes other connections read the definitions again.
        connection.execute("CREATE TABLE _waiaas_cookie (x)")
        connection.execute("DROP TABLE _waiaas_cookie")
        return True
    finally:
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("RELEASE reword")
