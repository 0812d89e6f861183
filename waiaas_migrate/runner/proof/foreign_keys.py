"""Foreign-key violations, compared by what they are rather than by how many.

SQLite checks no key of a table that has one which it cannot follow, for want of a unique key that it refers to
(https://www.sqlite.org/foreignkeys.html#fk_indexes). There the others are followed one by one.
"""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from sys import intern
from urllib.parse import quote

from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.proof.followed_keys import FollowedKey, Orphan, keys_of, rowid_name
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import database_name, main_file, result_code
from waiaas_migrate.sqlite.database.setup import set_up
from waiaas_migrate.sqlite.planning.effects import Effects
from waiaas_migrate.sqlite.quoting import quote_name

_SHOWN = 5

#: What SQLite says of a foreign key that it cannot follow.
MISMATCH = "foreign key mismatch"

_WITH_FOREIGN_KEYS = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND instr(upper(sql), 'REFERENCES')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A row whose parent is missing; or a table whose foreign keys SQLite cannot check, and why."""

    table: str
    columns: tuple[str, ...] = ()
    parent: str = ""
    rowid: int | None = None
    values: tuple[object, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        if self.error == MISMATCH:
            return f"{self.table}: {MISMATCH}, no key of {self.parent} is what ({', '.join(self.columns)}) refers to"
        if self.error:
            return f"{self.table}: {self.error}"
        row = "a row" if self.rowid is None else f"row {self.rowid}"
        return f"{row} of {self.table} ({', '.join(self.columns)}) has no parent in {self.parent}"


class KeysChanged(Exception):
    """A run changed what it was not thought to change, or what was before cannot be seen any more; repeat it."""


#: Lets a connection be stopped, and its progress be told, as that of the run.
Attach = Callable[[sqlite3.Connection], None]


class ForeignKeyCheck:
    """What does not hold as a run begins, and whether more does not hold at its end.

    Looking at every row with a foreign key takes time that grows with the rows. It is not needed where no statement
    changes a row, and keys and parents turn out to be the same afterwards. And where readers see what is committed, in
    WAL mode, what did not hold before can still be seen at the end by another connection, and need be only where
    something does not hold then. In both cases the run must be repeatable.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        effects: Sequence[Effects] | None = None,
        facts: CatalogFacts | None = None,
        attach: Attach | None = None,
    ) -> None:
        """Begin on a database of whose catalog ``facts`` hold, if somebody has read it.

        ``effects`` are those of all that will run in this transaction; None if it can't be repeated.
        ``attach`` is told of the connection that looks back; None where another one may not see what this one does,
        which has collations and functions that somebody gave it, say, and which decide what is the same.
        """
        self._connection, self._attach = connection, attach
        self._announced: list[Violation] = []
        has_keys = (read_facts(connection) if facts is None else facts).has_keys
        can_repeat = effects is not None and all(one.is_known for one in effects)
        self._light = has_keys and can_repeat and not any(one.may_break_keys for one in effects or ())
        self._keys = _keys_and_parents(connection) if self._light else ()
        self._before: tuple[Violation, ...] | None = ()
        if has_keys and not self._light:
            is_told = can_repeat and attach is not None
            can_look_back = is_told and _readers_see_what_is_committed(connection)
            self._before = None if can_look_back else violations(connection)

    def announce(self, tables: Iterable[str]) -> None:
        """Let ``tables`` come to have foreign keys that SQLite cannot follow; one stands for each such key."""
        self._announced += [Violation(table=table, error=MISMATCH) for table in tables]

    def finish(self, migration: str, facts: CatalogFacts | None = None) -> tuple[str, ...]:
        """What does not hold, as was so before or was announced, as notices; ``facts`` are of the catalog by now.

        Raises:
            ApplyError: there is more that does not hold; it names ``migration``.
            KeysChanged: the check was thought not to be needed, and is; or it was put off, and cannot be made up for.
        """
        if self._light:
            if _keys_and_parents(self._connection) != self._keys:
                raise KeysChanged
            return ()
        has_keys = (read_facts(self._connection) if facts is None else facts).has_keys
        after = violations(self._connection) if has_keys else ()
        if not after:
            return ()
        before = _committed_violations(self._connection, self._attach) if self._before is None else self._before
        new = new_violations(before, after)
        added = self._unannounced(new)
        if added:
            what = f"foreign keys that held before do not hold afterwards: {_listed(added)}."
            raise ApplyError(database=database_name(self._connection), migration=migration, reason=what)
        fresh = frozenset(new)
        come = tuple(one for one in after if one in fresh)
        old = tuple(one for one in after if one not in fresh)
        said = f"foreign keys that SQLite cannot enforce came with {migration}, which says so: {_listed(come)}."
        left = f"foreign keys did not hold before, and were left as they are: {_listed(old)}."
        return (*((said,) if come else ()), *((left,) if old else ()))

    def _unannounced(self, new: tuple[Violation, ...]) -> tuple[Violation, ...]:
        """Those of ``new`` that no migration announced: what is announced of a table is meant of all its keys.

        What was announced of a table that is not there any more, since it was renamed later, stands for one key.
        """
        names = {name.lower() for (name,) in self._connection.execute("SELECT name FROM main.sqlite_master")}
        announced = {one.table.lower() for one in self._announced}
        left = tuple(one for one in new if one.error != MISMATCH or one.table.lower() not in announced)
        renamed = tuple(one for one in self._announced if one.table.lower() not in names)
        return _pair_off(renamed, left, lambda one: one.error)[1]


def _readers_see_what_is_committed(connection: sqlite3.Connection) -> bool:
    """Whether other connections can read while this one writes (https://www.sqlite.org/wal.html#concurrency)."""
    return str(connection.execute("PRAGMA main.journal_mode").fetchone()[0]) == "wal"


def _committed_violations(connection: sqlite3.Connection, attach: Attach | None) -> tuple[Violation, ...]:
    """Every violation in what is committed, seen by another connection, of which ``attach`` is told.

    Raises:
        KeysChanged: there can be no other connection, as with ``locking_mode = EXCLUSIVE``.
    """
    # Nobody but SQLite opens the file: to close it would drop the locks that this connection has
    # (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    uri = f"file:{quote(os.fsencode(main_file(connection)))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as committed:
            set_up(committed)
            if attach is not None:
                attach(committed)
            committed.execute("BEGIN")
            return violations(committed)
    except sqlite3.Error as error:
        if result_code(error) == sqlite3.SQLITE_INTERRUPT:
            raise
        raise KeysChanged from error


def _keys_and_parents(connection: sqlite3.Connection) -> tuple[object, ...]:
    """Every foreign key, the types of its columns, and what makes a parent of the table that it refers to."""
    keys: list[tuple[object, ...]] = []
    parents: dict[str, set[str]] = {}
    for (table,) in connection.execute(_WITH_FOREIGN_KEYS).fetchall():
        types = {name.lower(): kind for name, kind, _ in _columns_of(connection, table)}
        for key in connection.execute("SELECT * FROM pragma_foreign_key_list(?, 'main')", (table,)).fetchall():
            keys.append((table, *key, types.get(str(key[3]).lower())))
            parents.setdefault(str(key[2]).lower(), set()).add(str(key[4]).lower())
    return (tuple(keys), tuple((table, *_parent(connection, table, parents[table])) for table in sorted(parents)))


def _parent(connection: sqlite3.Connection, table: str, referred: set[str]) -> tuple[object, ...]:
    """Its kind, the columns that are its primary key or are referred to, and its unique indexes."""
    kind = connection.execute("SELECT type FROM main.sqlite_master WHERE name = ? COLLATE NOCASE", (table,)).fetchone()
    columns = [row for row in _columns_of(connection, table) if row[2] or row[0].lower() in referred]
    indexes = connection.execute(
        """SELECT i.name, i.partial, c.seqno, c.name, c.coll
        FROM pragma_index_list(?, 'main') AS i, pragma_index_xinfo(i.name, 'main') AS c
        WHERE i."unique" AND c.key ORDER BY i.name, c.seqno""",
        (table,),
    ).fetchall()
    return (kind, tuple(columns), tuple(indexes))


def _columns_of(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, int]]:
    return connection.execute("SELECT name, type, pk FROM pragma_table_xinfo(?, 'main')", (table,)).fetchall()


def _listed(found: tuple[Violation, ...]) -> str:
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(str(violation) for violation in found[:_SHOWN]) + more


def violations(connection: sqlite3.Connection) -> tuple[Violation, ...]:
    """Every violation in the main database (https://www.sqlite.org/pragma.html#pragma_foreign_key_check).

    Tables are checked one by one, since the PRAGMA gives up altogether at a foreign key whose parent columns are not
    unique.
    """
    tables = connection.execute(_WITH_FOREIGN_KEYS).fetchall()
    before, connection.text_factory = connection.text_factory, _exact_text
    try:
        return tuple(violation for (table,) in tables for violation in _in_table(connection, table))
    finally:
        connection.text_factory = before


def _exact_text(text: bytes) -> str:
    """Decode ``text`` without loss: keys need not be UTF-8."""
    return text.decode(errors="surrogateescape")


def _in_table(connection: sqlite3.Connection, table: str) -> Iterator[Violation]:
    columns = _columns(connection, table)
    rows: Iterable[Orphan]
    try:
        rows = _orphans(connection, table, columns)
    except sqlite3.DatabaseError as error:
        if result_code(error) != sqlite3.SQLITE_ERROR:
            raise  # it was interrupted, say
        if not str(error).startswith(MISMATCH):
            yield Violation(table=table, error=str(error))
            return
        keys = keys_of(connection, table, str(error))
        yield from (_mismatched(key) for key in keys if key.is_mismatch)
        rows = [row for key in keys if not key.is_mismatch for row in key.orphans(connection)]
    for rowid, parent, number, values in rows:
        names = columns.get(number, ())
        yield Violation(table=table, columns=names, parent=intern(parent), rowid=rowid, values=values)


def _orphans(connection: sqlite3.Connection, table: str, columns: dict[int, tuple[str, ...]]) -> Iterator[Orphan]:
    """Return the rows without a parent; SQLite looks for the first at once, and for the others when asked."""
    row = rowid_name(connection, table)
    if row is None or not columns:
        query = "SELECT rowid, parent, fkid FROM pragma_foreign_key_check(?, 'main')"
        return ((rowid, parent, number, ()) for rowid, parent, number in connection.execute(query, (table,)))
    names = list(dict.fromkeys(name for key in columns.values() for name in key))
    # One look-up in the table for each: its values tell whether it is the same row that had no parent before.
    query = f"""SELECT found.rowid, found.parent, found.fkid, {", ".join(f"child.{quote_name(name)}" for name in names)}
        FROM pragma_foreign_key_check(?, 'main') AS found
        LEFT JOIN main.{quote_name(table)} AS child ON child.{row} = found.rowid"""
    places = {number: [names.index(name) for name in key] for number, key in columns.items()}
    return (
        (rowid, parent, number, tuple(values[place] for place in places.get(number, ())))
        for rowid, parent, number, *values in connection.execute(query, (table,))
    )


def _mismatched(key: FollowedKey) -> Violation:
    return Violation(table=key.table, columns=key.columns, parent=key.parent, error=MISMATCH)


def _columns(connection: sqlite3.Connection, table: str) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    query = """SELECT id, "from" FROM pragma_foreign_key_list(?, 'main') ORDER BY id, seq"""
    for number, name in connection.execute(query, (table,)):
        found[number] = (*found.get(number, ()), name)
    return found


def new_violations(before: tuple[Violation, ...], after: tuple[Violation, ...]) -> tuple[Violation, ...]:
    """Those of ``after`` that were not there before.

    A violation is the same where table, row, columns and parent are. One that has no equal may be of a row that has
    another number now: a row of the same table lost its parent by the same foreign key before, holding the same values
    where both have a number. Or it was renamed with its table, column or parent: then a row of the same number, holding
    the same values, lost its parent before; or one of any number, where nothing goes by the names of either in the
    other. None stands for two.
    """
    if before == after:
        return ()
    left, unmatched = _pair_off(before, after, lambda one: one)
    left, unmatched = _pair_off(left, unmatched, lambda one: _if_numbered(one, (_key(one), one.values)))
    numbered, unnumbered = _parted(left)
    now_numbered, now_unnumbered = _parted(unmatched)
    unnumbered, now_numbered = _pair_off(unnumbered, now_numbered, _key)
    numbered, now_unnumbered = _pair_off(numbered, now_unnumbered, _key)
    numbered, now_numbered = _pair_off(numbered, now_numbered, lambda one: (one.rowid, one.values, one.error))
    names, names_now = {_key(one) for one in before}, {_key(one) for one in after}
    gone = tuple(one for one in (*numbered, *unnumbered) if _key(one) not in names_now)
    unmatched = (*now_numbered, *now_unnumbered)
    come = tuple(one for one in unmatched if _key(one) not in names)
    _, come = _pair_off(gone, come, lambda one: (one.rowid is None, one.values, one.error))
    return (*(one for one in unmatched if _key(one) in names), *come)


def _parted(found: tuple[Violation, ...]) -> tuple[tuple[Violation, ...], tuple[Violation, ...]]:
    """Violations of rows that have a number, and of those that have none."""
    return tuple(one for one in found if one.rowid is not None), tuple(one for one in found if one.rowid is None)


def _key(one: Violation) -> tuple[str, tuple[str, ...], str, str]:
    return (one.table.lower(), one.columns, one.parent.lower(), one.error)


def _if_numbered(one: Violation, identity: object) -> object:
    """``identity`` where the row of ``one`` has a number; else one that no other violation has."""
    return object() if one.rowid is None else identity


def _pair_off(
    before: tuple[Violation, ...], after: tuple[Violation, ...], identity: Callable[[Violation], object]
) -> tuple[tuple[Violation, ...], tuple[Violation, ...]]:
    """What is left of both once each of ``after`` has taken one of the same ``identity`` out of ``before``."""
    old = defaultdict[object, list[Violation]](list)
    for violation in before:
        old[identity(violation)].append(violation)
    unmatched: list[Violation] = []
    for violation in after:
        known = old[identity(violation)]
        if known:
            known.pop()
        else:
            unmatched.append(violation)
    return tuple(violation for left in old.values() for violation in left), tuple(unmatched)
