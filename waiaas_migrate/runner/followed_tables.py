"""Follow tables and columns while statements rename, rebuild or drop them.

Statements are not parsed. Instead, :class:`TableFollower` compares the catalog and the columns before and after each
statement. It also sets an authorizer, which SQLite calls for each table that a statement reads or writes (https://www.sqlite.org/c3ref/set_authorizer.html).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import execute

#: The root page and the name of each table. A rename keeps the root page. A virtual table has no root page, so its name
#: is used instead.
_TABLES = "SELECT iif(rootpage, rootpage, name), name FROM main.sqlite_master WHERE type = 'table'"
#: Columns that store values: all but generated and hidden ones.
_COLUMNS = "SELECT name FROM pragma_table_xinfo(?, 'main') WHERE hidden < 2 ORDER BY cid"

#: A root page, or the name of a virtual table.
Root = int | str


class FollowedTable:
    """A table that existed at the beginning, its root page and columns now, and whether its rows may have been deleted.

    Args:
        name: the name of the table at the beginning.
        root: the current root page; None if the table was dropped.
        columns: the columns at the beginning, with their current names; None for a dropped column.
        deletes_rows: whether rows may have been deleted without dropping the table.
        copies: the root pages of the tables into which the rows may have been copied.
    """

    def __init__(self, name: str, root: Root, columns: Iterable[str]) -> None:
        self.name = name
        self.root: Root | None = root
        self.columns: dict[str, str | None] = {column: column for column in columns}
        self.deletes_rows = False
        self.copies: set[Root] = set()
        self._names = {fold(name)}

    def update(self, tables: dict[Root, str], columns: dict[Root, list[str]], before: dict[Root, list[str]]) -> None:
        """Follow the table through a statement, given all ``tables`` and ``columns`` after it, and those ``before``."""
        if self.root in tables:
            self._follow_columns(before.get(self.root, []), columns[self.root])
            self._names.add(fold(tables[self.root]))
            return
        # A rebuild copies the rows into a new table, drops this table, and gives its name to the new table.
        self.root = next((root for root in self.copies if fold(tables.get(root, "")) in self._names), None)
        if self.root is not None:
            self._follow_columns([], columns[self.root])

    def _follow_columns(self, before: list[str], after: list[str]) -> None:
        renamed = {}
        if len(before) == len(after):
            renamed = {fold(old): new for old, new in zip(before, after, strict=True) if fold(old) != fold(new)}
        existing = set(map(fold, after))
        for name, old in self.columns.items():
            if old is not None:
                new = renamed.get(fold(old), old)
                self.columns[name] = new if fold(new) in existing else None


class TableFollower:
    """Runs statements on a database in memory and follows its ``tables``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tables = self._read_tables()
        self._columns = {root: self._read_columns(name) for root, name in self._tables.items()}
        self.tables = [FollowedTable(name, root, self._columns[root]) for root, name in self._tables.items()]

    def execute(self, connection: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
        """Run one statement as :func:`~waiaas_migrate.sqlite.database.memory.execute` does, and follow the tables."""
        used: defaultdict[int, set[str]] = defaultdict(set)  # folded names of tables, by authorizer action

        def authorize(action: int, name: str | None, *_: str | None) -> int:
            used[action].add(fold(name or ""))
            return sqlite3.SQLITE_OK

        connection.set_authorizer(authorize)
        try:
            cursor = execute(connection, statement)
            cursor.fetchall()  # a SELECT runs only while its rows are read
        finally:
            connection.set_authorizer(None)
        self._observe(used)
        return cursor

    def _observe(self, used: Mapping[int, set[str]]) -> None:
        roots = {fold(name): root for root, name in self._tables.items()}
        tables = self._read_tables()
        changed = tables != self._tables or sqlite3.SQLITE_ALTER_TABLE in used
        columns = {root: self._read_columns(name) for root, name in tables.items()} if changed else self._columns
        for table in self.tables:
            if table.root is not None:
                name = fold(self._tables[table.root])
                if name in used[sqlite3.SQLITE_READ]:
                    table.copies |= {roots[target] for target in used[sqlite3.SQLITE_INSERT] & roots.keys()}
                if table.root in tables:  # SQLite reports DROP TABLE to the authorizer as a deletion of rows, too
                    table.deletes_rows |= name in used[sqlite3.SQLITE_DELETE]
            if changed:
                table.update(tables, columns, self._columns)
        self._tables, self._columns = tables, columns

    def _read_tables(self) -> dict[Root, str]:
        rows = self._connection.execute(_TABLES).fetchall()
        return {root: name for root, name in rows if not name.startswith("sqlite_")}

    def _read_columns(self, name: str) -> list[str]:
        try:
            return [column for (column,) in self._connection.execute(_COLUMNS, (name,))]
        except sqlite3.Error:  # the module of a virtual table is missing
            return []
