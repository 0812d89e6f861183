"""Open and copy databases in memory, to build schemas and replay migrations.

A replay touches no file, even if a migration names one. SQLite refuses to attach a database to these connections, so
ATTACH, VACUUM and VACUUM INTO are skipped. None of these statements changes the schema. Later statements that need a
table of the missing database are skipped, too.

An application may define its own collations and functions. In memory, stand-ins of the same name replace them, because
only the structure matters there: they never sort or check an application's row.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, Self, cast

from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.database.connection import PROGRESS_INTERVAL, require_sqlite, undone_on_error
from waiaas_migrate.sqlite.database.pragmas import PROCESS_WIDE
from waiaas_migrate.sqlite.database.setup import set_up
from waiaas_migrate.sqlite.database.url import MEMORY
from waiaas_migrate.sqlite.quoting import quote_name

#: SQLite's errors for a missing collation or function.
_MISSING = re.compile(r"(?:no such (?P<kind>collation sequence|function)|unknown function): (?P<name>.+)", re.DOTALL)

#: The beginning of SQLite's error for ATTACH, and for VACUUM, which attaches the database that it writes to.
NOT_ATTACHED = "too many attached databases"
#: A regular expression for the spaces and comments before a statement.
_COMMENTS = r"(?>\s+|--[^\n]*\n|/\*.*?\*/)*+"
_VERB = re.compile(_COMMENTS + r"(\w*)", re.DOTALL)
#: Verbs that never change the schema of the main database.
_NO_DDL = frozenset("ANALYZE DELETE DETACH INSERT PRAGMA REINDEX REPLACE SELECT UPDATE VALUES WITH".split())
#: SQLite's errors for a name that doesn't exist, and for a name in a database that is not attached.
_NAME_NOT_FOUND = re.compile(r"unknown database |unable to identify |no such (?:table|database|column|index): ")
_IN_OTHER_DATABASE = re.compile(r"unknown database |no such \w+: (?!main\.|temp\.)[^.]+\.", re.IGNORECASE)
_SETS_PROCESS_WIDE = re.compile(_COMMENTS + rf"PRAGMA\b.*\b(?:{'|'.join(PROCESS_WIDE)})\b", re.DOTALL | re.IGNORECASE)

#: A function that returns whether to stop the current statement in memory. SQLite calls it regularly, which also lets
#: Python handle Ctrl-C. Python does so only in the main thread, so other threads set their own function.
IS_STOPPED: ContextVar[Callable[[], bool]] = ContextVar("IS_STOPPED", default=lambda: False)


class _Cursor(sqlite3.Cursor):
    """A cursor that skips ATTACH, VACUUM and process-wide PRAGMAs, and lets Ctrl-C interrupt other statements."""

    connection: _Memory

    def execute(self, sql: str, parameters: Any = (), /) -> Self:  # noqa: ANN401 — as the base class
        return self._run(super().execute, sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Self:  # noqa: ANN401
        return self._run(super().executemany, sql, parameters)

    def _run(self, method: Callable[[str, Any], Self], sql: str, parameters: Any) -> Self:  # noqa: ANN401
        if _SETS_PROCESS_WIDE.match(sql):
            return self
        try:
            return method(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                # Python drops a KeyboardInterrupt that a callback raises.
                raise KeyboardInterrupt from error
            if not self.connection.must_skip(sql, str(error)):
                raise
            return self


class _Memory(sqlite3.Connection):
    """A connection that attaches no file, and records its stand-ins so that they can be copied."""

    stand_ins: frozenset[tuple[str, str]] = frozenset()
    #: The number of skipped ATTACH statements without a later DETACH.
    missing_databases = 0

    def cursor(self, factory: Any = _Cursor) -> Any:  # noqa: ANN401 — the base class is typed by overloads
        """Return a :class:`_Cursor`, also to a migration in Python."""
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401
        return cast(sqlite3.Cursor, self.cursor().execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:  # noqa: ANN401
        return cast(sqlite3.Cursor, self.cursor().executemany(sql, parameters))

    def must_skip(self, statement: str, error: str) -> bool:
        """Return whether a statement failed because no database can be attached.

        Also count the missing databases.
        """
        verb = _verb(statement)
        if error.startswith(NOT_ATTACHED):
            self.missing_databases += verb == "ATTACH"
            return True
        if not self.missing_databases:
            return False
        self.missing_databases -= verb == "DETACH"
        if verb in _NO_DDL:
            return _NAME_NOT_FOUND.match(error) is not None
        return _IN_OTHER_DATABASE.match(error) is not None and (
            verb != "CREATE" or error.startswith("unknown database ")
        )


def _verb(statement: str) -> str:
    found = _VERB.match(statement)
    return found[1].upper() if found else ""


def open_memory() -> sqlite3.Connection:
    """Open a new database in memory, in autocommit mode and with foreign keys off."""
    require_sqlite()
    # Cache no statements: EXPLAIN of a cached statement would ignore later changes of the schema.
    connection = sqlite3.connect(MEMORY, isolation_level=None, factory=_Memory, cached_statements=0)
    set_up(connection)
    # Prevent ATTACH with a limit (https://www.sqlite.org/c3ref/limit.html). An authorizer would cost time.
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    # SQLite's own function takes a pointer to code as its second argument (https://www.sqlite.org/fts3.html#f3token).
    connection.create_function("fts3_tokenizer", 2, lambda *_: None)
    connection.set_progress_handler(IS_STOPPED.get(), PROGRESS_INTERVAL)
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def has_skipped_attach(connection: sqlite3.Connection) -> bool:
    """Return whether an ATTACH was skipped, without a DETACH since. Then a statement may lack that database."""
    return isinstance(connection, _Memory) and connection.missing_databases > 0


def execute(connection: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Run one statement; define a stand-in for each missing collation or function.

    Raises:
        sqlite3.Error: the statement fails for another reason.
    """
    defined: set[str] = set()
    is_alter = _verb(statement) == "ALTER"
    while True:
        try:
            # In a transaction, a failed ADD COLUMN keeps its column if a CHECK can't run.
            with undone_on_error(connection) if is_alter else nullcontext():
                return connection.execute(statement)
        except sqlite3.OperationalError as error:
            missing = _MISSING.search(str(error))
            if missing is None or missing[0] in defined:
                raise
            defined.add(missing[0])
            _stand_in(connection, missing["kind"] or "function", missing["name"].removesuffix("()"))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a ``with`` block in a transaction; on an error, roll back and reset two PRAGMAs."""
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


def _stand_in(connection: sqlite3.Connection, kind: str, name: str) -> None:
    if kind == "function":
        connection.create_function(name, -1, lambda *_: None, deterministic=True)
    else:
        connection.create_collation(name, lambda left, right: (left > right) - (left < right))
    if isinstance(connection, _Memory):
        connection.stand_ins |= {(kind, name)}


def copy_database(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a copy of a database, in memory."""
    other = open_memory()
    if isinstance(connection, _Memory):
        for kind, name in sorted(connection.stand_ins):
            _stand_in(other, kind, name)
    connection.backup(other)
    return other


def schema_copy(catalog: Iterable[CatalogRow], *, skip_refused: bool = False) -> sqlite3.Connection:
    """Return a database in memory with the objects in ``catalog``, and no rows.

    Args:
        catalog: the objects to create; virtual tables must come before their shadow tables.
        skip_refused: whether to leave out objects that SQLite refuses, such as a shadow table that already exists
            because its virtual table created it.

    Raises:
        sqlite3.Error: SQLite refuses a statement, and ``skip_refused`` is False.
    """
    order = ("table", "index", "view", "trigger")
    with ExitStack() as on_error:
        other = on_error.enter_context(closing(open_memory()))
        for row in sorted(catalog, key=lambda row: order.index(row.kind)):
            with suppress(sqlite3.Error) if skip_refused else nullcontext():
                execute(other, row.sql)
        on_error.pop_all()
    return other


def drop_triggers(connection: sqlite3.Connection) -> None:
    """Drop all triggers with one DELETE from the catalog."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
    connection.execute("PRAGMA writable_schema = RESET")


def delete_rows(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Delete all rows of ``tables`` without firing triggers."""
    triggers = [row.sql for row in read_catalog(connection) if row.kind == "trigger"]
    drop_triggers(connection)
    for table in tables:
        connection.execute(f"DELETE FROM {quote_name(table)}")
    for trigger in triggers:
        execute(connection, trigger)
