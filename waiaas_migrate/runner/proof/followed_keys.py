"""The foreign keys of one table, followed one by one: what SQLite does not do where one of them cannot be followed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from waiaas_migrate.sqlite.quoting import quote_name

#: A row without its parent: its rowid, the parent table, the number of the key, and the values of its columns, of which
#: there are none if there is no rowid.
Orphan = tuple[int | None, str, int, tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedKey:
    """A foreign key, and the columns of the parent that it leads to: none where there is no such parent."""

    table: str
    number: int
    columns: tuple[str, ...]
    parent: str
    targets: tuple[str, ...]
    is_mismatch: bool

    def orphans(self, connection: sqlite3.Connection) -> list[Orphan]:
        """The rows without a parent."""
        row = rowid_name(connection, self.table)
        wanted = " AND ".join(f"child.{quote_name(column)} IS NOT NULL" for column in self.columns)
        # A unary plus takes a column's affinity away, so that the parent's decides, as it does for a foreign key.
        pairs = zip(self.targets, self.columns, strict=True) if self.targets else ()
        same = " AND ".join(f"parent.{quote_name(to)} = +child.{quote_name(column)}" for to, column in pairs)
        if same:
            wanted += f" AND NOT EXISTS (SELECT 1 FROM main.{quote_name(self.parent)} AS parent WHERE {same})"
        read = ["NULL"] if row is None else [f"child.{name}" for name in (row, *map(quote_name, self.columns))]
        query = f"SELECT {', '.join(read)} FROM main.{quote_name(self.table)} AS child WHERE {wanted}"
        found = connection.execute(query)
        return [(rowid, self.parent, self.number, tuple(values)) for rowid, *values in found]


def keys_of(connection: sqlite3.Connection, table: str, said: str) -> tuple[FollowedKey, ...]:
    """The foreign keys of ``table``, of which SQLite ``said`` that one cannot be followed."""
    found: dict[int, list[tuple[str, str, str | None]]] = {}
    query = """SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?, 'main') ORDER BY id, seq"""
    for number, parent, column, target in connection.execute(query, (table,)).fetchall():
        found.setdefault(number, []).append((parent, column, target))
    sure = {number for number, parts in found.items() if _leads_to(connection, parts) is None}
    # A unique key in another collation than its column's is none to refer to, and no PRAGMA tells a column's.
    named = {
        number
        for number, parts in found.items()
        if said.endswith(f'"{parts[0][0]}"') and not _leads_to_rowid(connection, parts)
    }
    return tuple(
        FollowedKey(
            table=table,
            number=number,
            columns=tuple(column for _, column, _ in parts),
            parent=parts[0][0],
            targets=_leads_to(connection, parts) or (),
            is_mismatch=number in (sure or named),
        )
        for number, parts in found.items()
    )


def _leads_to(connection: sqlite3.Connection, parts: list[tuple[str, str, str | None]]) -> tuple[str, ...] | None:
    """The columns of the parent, none where there is no parent; None where they are no unique key of it."""
    parent = parts[0][0]
    kind = connection.execute("SELECT type FROM main.sqlite_master WHERE name = ? COLLATE NOCASE", (parent,)).fetchone()
    if kind is None:
        return ()
    query = "SELECT name FROM pragma_table_xinfo(?, 'main') WHERE pk ORDER BY pk"
    primary = tuple(name for (name,) in connection.execute(query, (parent,)))
    targets = tuple(target for _, _, target in parts if target is not None)
    if not targets:
        return primary if len(primary) == len(parts) else None
    wanted = sorted(target.lower() for target in targets)
    is_key = any(wanted == sorted(name.lower() for name in key) for key in (primary, *_unique_keys(connection, parent)))
    return targets if is_key else None


def _leads_to_rowid(connection: sqlite3.Connection, parts: list[tuple[str, str, str | None]]) -> bool:
    """Whether it is the INTEGER PRIMARY KEY, which has no index and no collation."""
    parent, _, target = parts[0]
    query = """SELECT name FROM pragma_table_xinfo(?1, 'main') AS c
        WHERE pk AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk')"""
    primary = [name.lower() for (name,) in connection.execute(query, (parent,))]
    return len(parts) == 1 and len(primary) == 1 and (target is None or target.lower() == primary[0])


def _unique_keys(connection: sqlite3.Connection, table: str) -> Iterator[tuple[str, ...]]:
    query = """SELECT name FROM pragma_index_list(?, 'main') WHERE "unique" AND NOT partial"""
    for (index,) in connection.execute(query, (table,)).fetchall():
        parts = "SELECT name FROM pragma_index_xinfo(?, 'main') WHERE key ORDER BY seqno"
        yield tuple(name or "" for (name,) in connection.execute(parts, (index,)))  # an expression has no name


def rowid_name(connection: sqlite3.Connection, table: str) -> str | None:
    """A name of the rowid that no column of ``table`` has taken (https://www.sqlite.org/rowidtable.html), if any."""
    query = "SELECT name FROM pragma_table_xinfo(?, 'main')"
    taken = {name.lower() for (name,) in connection.execute(query, (table,))}
    name = next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)
    with suppress(sqlite3.OperationalError):  # a table WITHOUT ROWID
        if name is not None:
            connection.execute(f"SELECT {name} FROM main.{quote_name(table)} LIMIT 0")
            return name
    return None
