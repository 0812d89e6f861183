"""Databases in memory, for building a schema or replaying migrations where only the structure matters.

A replay touches no file, whatever a migration says. SQLite refuses to attach a database to these connections, and so
ATTACH, VACUUM and VACUUM INTO are left out. None of them changes the schema, and neither do statements that then miss a
table of the database that was not attached.

An application may bring collations and functions of its own. In memory, where no row is ever sorted or checked by
them, stand-ins of the same name do; a real database needs the real ones.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Self

from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.database.setup import set_up
from waiaas_migrate.sqlite.database.url import MEMORY
from waiaas_migrate.sqlite.database.version import require_sqlite
from waiaas_migrate.sqlite.quoting import quote_name

#: How SQLite tells of what is missing: alone, or behind "error in index x: " where it reads the schema again.
_MISSING = re.compile(r"(?:no such (?P<kind>collation sequence|function)|unknown function): (?P<name>.+)", re.DOTALL)

#: What SQLite says of ATTACH and VACUUM, which attaches the database that it writes to.
NOT_ATTACHED = "too many attached databases"
_COMMENTS = r"(?>\s+|--[^\n]*\n|/\*.*?\*/)*+"
_VERB = re.compile(_COMMENTS + r"(\w*)", re.DOTALL)
#: Verbs that change rows at most, and never the schema of the main database.
_ROWS_ONLY = frozenset(
    ("ANALYZE", "DELETE", "DETACH", "INSERT", "PRAGMA", "REINDEX", "REPLACE", "SELECT", "UPDATE", "VALUES", "WITH")
)
#: How SQLite refuses what names a database that is not attached, or a table of it.
_UNKNOWN = "unknown database "
_MISSES = (_UNKNOWN, *(f"no such {kind}: " for kind in ("table", "database", "column", "index")), "unable to identify ")
_ELSEWHERE = re.compile(r"no such \w+: (?!main\.|temp\.)[^.]+\.", re.IGNORECASE)
#: PRAGMAs that hold for the whole process, and outlive the connection.
_OF_THE_PROCESS = re.compile(
    _COMMENTS + r"PRAGMA\b.*\b(?:temp_store_directory|data_store_directory|(?:hard|soft)_heap_limit)\b",
    re.DOTALL | re.IGNORECASE,
)

#: Instructions of SQLite's virtual machine between two looks for Ctrl-C, some milliseconds.
_INSTRUCTIONS = 50_000


def _never() -> bool:
    """Return False; Python handles signals when it is called, in the main thread."""
    return False


#: Whether statements in memory shall end. Threads, which no signal reaches, set it for their own work.
IS_STOPPED: ContextVar[Callable[[], bool]] = ContextVar("IS_STOPPED", default=_never)


class _Cursor(sqlite3.Cursor):
    """A cursor that leaves out what is about other files, and that Ctrl-C interrupts."""

    connection: _Memory

    def execute(self, sql: str, parameters: Any = (), /) -> Self:  # noqa: ANN401 — as the base class
        """Run one statement, or nothing if it is about another file or the whole process.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed while it ran.
        """
        return self._run(super().execute, sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Self:  # noqa: ANN401
        """Run one statement again and again; otherwise as :meth:`execute`."""
        return self._run(super().executemany, sql, parameters)

    def _run(self, method: Callable[[str, Any], Self], sql: str, parameters: Any) -> Self:  # noqa: ANN401
        if _OF_THE_PROCESS.match(sql):
            return self
        try:
            return method(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                # Python drops the KeyboardInterrupt that is raised within a callback.
                raise KeyboardInterrupt from error
            if not self.connection.leaves_out(sql, str(error)):
                raise
            return self


class _Memory(sqlite3.Connection):
    """A connection that attaches no file, and knows which stand-ins it has, for a copy to have them too."""

    stand_ins: frozenset[tuple[str, str]] = frozenset()
    #: How many ATTACH were left out, less those that a DETACH ended.
    missing_databases = 0

    def cursor(self, factory: Any = _Cursor) -> Any:  # noqa: ANN401 — the base class is typed by overloads
        """Make a cursor; Python migrations ask for one too."""
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401
        """Run one statement on a new cursor of this module's kind."""
        cursor: sqlite3.Cursor = self.cursor().execute(sql, parameters)
        return cursor

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:  # noqa: ANN401
        """Run one statement again and again on such a cursor."""
        cursor: sqlite3.Cursor = self.cursor().executemany(sql, parameters)
        return cursor

    def leaves_out(self, statement: str, refusal: str) -> bool:
        """Return whether ``statement``, which SQLite refused, is about a database that was not attached."""
        found = _VERB.match(statement)
        verb = found[1].upper() if found else ""
        if refusal.startswith(NOT_ATTACHED):
            self.missing_databases += verb == "ATTACH"
            return True
        if not self.missing_databases:
            return False
        self.missing_databases -= verb == "DETACH"
        if verb in _ROWS_ONLY:
            return refusal.startswith(_MISSES)
        return (_ELSEWHERE.match(refusal) is not None and verb != "CREATE") or refusal.startswith(_UNKNOWN)


def memory() -> sqlite3.Connection:
    """Return a new database in memory, in autocommit mode, its foreign keys not enforced.

    No statement reaches a file from it, and Ctrl-C interrupts each. Neither costs anything that could be measured, as
    an authorizer would (https://www.sqlite.org/c3ref/limit.html).
    """
    require_sqlite()
    # A statement that Python keeps compiled would be explained as it was before the schema changed.
    connection = sqlite3.connect(MEMORY, isolation_level=None, factory=_Memory, cached_statements=0)
    set_up(connection)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    # It takes its second argument for the address of code (https://www.sqlite.org/fts3.html#f3token).
    connection.create_function("fts3_tokenizer", 2, _no_value)
    connection.set_progress_handler(IS_STOPPED.get(), _INSTRUCTIONS)
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def lacks_database(connection: sqlite3.Connection) -> bool:
    """Return whether statements may miss a database, since an ATTACH was left out."""
    return isinstance(connection, _Memory) and connection.missing_databases > 0


def execute(connection: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Run one statement, putting in a stand-in for each collation or function that is missing.

    Raises:
        sqlite3.Error: whatever else SQLite says.
    """
    put_in: set[str] = set()
    found = _VERB.match(statement)
    is_alter = found is not None and found[1].upper() == "ALTER"
    while True:
        try:
            with _undone_on_error(connection) if is_alter else nullcontext():
                return connection.execute(statement)
        except sqlite3.OperationalError as error:
            missing = _MISSING.search(str(error))
            if missing is None or missing[0] in put_in:
                raise
            put_in.add(missing[0])
            _put_in(connection, missing["kind"] or "function", missing["name"].removesuffix("()"))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the statements run within; if one fails, roll all back and reset what a migration may have switched."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("PRAGMA ignore_check_constraints = OFF")
        raise
    if connection.in_transaction:
        connection.execute("COMMIT")


@contextmanager
def _undone_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    """Undo a statement that fails: within a transaction, ADD COLUMN keeps the column when its CHECK fails to run."""
    connection.execute("SAVEPOINT alter_table")
    try:
        yield
    except sqlite3.Error:
        connection.execute("ROLLBACK TO alter_table")
        raise
    finally:
        connection.execute("RELEASE alter_table")


def _put_in(connection: sqlite3.Connection, kind: str, name: str) -> None:
    if kind == "function":
        connection.create_function(name, -1, _no_value, deterministic=True)
    else:
        connection.create_collation(name, _by_text)
    if isinstance(connection, _Memory):
        connection.stand_ins |= {(kind, name)}


def _no_value(*_: object) -> None:
    return None


def _by_text(left: str, right: str) -> int:
    return (left > right) - (left < right)


def copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Another database in memory with the same content."""
    other = memory()
    if isinstance(connection, _Memory):
        for kind, name in sorted(connection.stand_ins):
            _put_in(other, kind, name)
    connection.backup(other)
    return other


def schema_copy(catalog: Iterable[CatalogRow]) -> sqlite3.Connection:
    """Return a database in memory with this ``catalog``, to the letter, and without rows.

    Raises:
        sqlite3.Error: a text that SQLite does not take alone, such as that of a virtual table's own tables.
    """
    other = memory()
    order = ("table", "index", "view", "trigger")
    for row in sorted(catalog, key=lambda row: order.index(row.kind)):
        execute(other, row.sql)
    return other


def drop_triggers(connection: sqlite3.Connection) -> None:
    """Drop all triggers at once."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
    connection.execute("PRAGMA writable_schema = RESET")


def empty(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Take all rows out of ``tables``. No trigger fires: the catalog is without them meanwhile."""
    triggers = [row.sql for row in read_catalog(connection) if row.kind == "trigger"]
    drop_triggers(connection)
    for table in tables:
        connection.execute(f"DELETE FROM {quote_name(table)}")
    for trigger in triggers:
        execute(connection, trigger)
