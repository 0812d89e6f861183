"""Databases in memory, to build a schema or replay migrations when only the structure matters.

A replay touches no file, even if a migration names one. SQLite refuses to attach a database to these connections, so
ATTACH, VACUUM and VACUUM INTO are skipped. None of them changes the schema. Later statements that need a table of the
missing database are skipped, too.

An application may define its own collations and functions. In memory, stand-ins of the same name replace
them, because they never sort or check a row there. A real database needs the real ones.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import Any, Self, cast

from waiaas_migrate.sqlite.database.catalog import CatalogRow, read_catalog
from waiaas_migrate.sqlite.database.connection import INSTRUCTIONS, require_sqlite
from waiaas_migrate.sqlite.database.pragmas import OF_THE_PROCESS
from waiaas_migrate.sqlite.database.setup import set_up
from waiaas_migrate.sqlite.database.url import MEMORY
from waiaas_migrate.sqlite.quoting import quote_name

_MISSING = re.compile(r"(?:no such (?P<kind>collation sequence|function)|unknown function): (?P<name>.+)", re.DOTALL)

#: SQLite's error for ATTACH, and for VACUUM, which attaches the database that it writes to.
NOT_ATTACHED = "too many attached databases"
_COMMENTS = r"(?>\s+|--[^\n]*\n|/\*.*?\*/)*+"
_VERB = re.compile(_COMMENTS + r"(\w*)", re.DOTALL)
#: Verbs that never change the schema of the main database.
_ROWS_ONLY = frozenset("ANALYZE DELETE DETACH INSERT PRAGMA REINDEX REPLACE SELECT UPDATE VALUES WITH".split())
#: SQLite's errors for a name that it can't find, and for a name in a database that is not attached.
_NAME_NOT_FOUND = re.compile(r"unknown database |unable to identify |no such (?:table|database|column|index): ")
_IN_OTHER_DATABASE = re.compile(r"unknown database |no such \w+: (?!main\.|temp\.)[^.]+\.", re.IGNORECASE)
_OF_THE_PROCESS = re.compile(
    _COMMENTS + rf"PRAGMA\b.*\b(?:{'|'.join(sorted(OF_THE_PROCESS))})\b",
    re.DOTALL | re.IGNORECASE,
)

#: Whether to stop statements in memory. SQLite calls it regularly, which lets Python handle signals in the main
#: thread. Signals don't reach other threads, so each of them sets its own function.
IS_STOPPED: ContextVar[Callable[[], bool]] = ContextVar("IS_STOPPED", default=lambda: False)


class _Cursor(sqlite3.Cursor):
    """A cursor that skips statements about other files, and that Ctrl-C interrupts."""

    connection: _Memory

    def execute(self, sql: str, parameters: Any = (), /) -> Self:  # noqa: ANN401 — as the base class
        """Run one statement; skip it if it is about another file or the whole process. Ctrl-C interrupts it."""
        return self._run(super().execute, sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Self:  # noqa: ANN401
        """Run one statement repeatedly, as :meth:`execute` does."""
        return self._run(super().executemany, sql, parameters)

    def _run(self, method: Callable[[str, Any], Self], sql: str, parameters: Any) -> Self:  # noqa: ANN401
        if _OF_THE_PROCESS.match(sql):
            return self
        try:
            return method(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                # Python drops a KeyboardInterrupt that a callback raises.
                raise KeyboardInterrupt from error
            if not self.connection.skips(sql, str(error)):
                raise
            return self


class _Memory(sqlite3.Connection):
    """A connection that attaches no file, and records its stand-ins (kind and name) for a copy."""

    stand_ins: frozenset[tuple[str, str]] = frozenset()
    #: The number of ATTACH statements skipped, minus those that a DETACH ended.
    missing_databases = 0

    def cursor(self, factory: Any = _Cursor) -> Any:  # noqa: ANN401 — the base class is typed by overloads
        """Return a :class:`_Cursor`, also if a Python migration asks for a cursor."""
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401
        """Run one statement on a new cursor of this module's kind."""
        return cast(sqlite3.Cursor, self.cursor().execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:  # noqa: ANN401
        """Run one statement repeatedly on a new cursor of this module's kind."""
        return cast(sqlite3.Cursor, self.cursor().executemany(sql, parameters))

    def skips(self, statement: str, refusal: str) -> bool:
        """Return whether ``statement``, which SQLite refused, is about a database that was not attached."""
        verb = _verb(statement)
        if refusal.startswith(NOT_ATTACHED):
            self.missing_databases += verb == "ATTACH"
            return True
        if not self.missing_databases:
            return False
        self.missing_databases -= verb == "DETACH"
        if verb in _ROWS_ONLY:
            return _NAME_NOT_FOUND.match(refusal) is not None
        return _IN_OTHER_DATABASE.match(refusal) is not None and (
            verb != "CREATE" or refusal.startswith("unknown database ")
        )


def _verb(statement: str) -> str:
    """Return the first word of ``statement`` in upper case."""
    found = _VERB.match(statement)
    return found[1].upper() if found else ""


def open_memory() -> sqlite3.Connection:
    """Return a new database in memory, in autocommit mode, without enforced foreign keys.

    Its statements reach no file, and Ctrl-C interrupts them. A limit prevents ATTACH; unlike an authorizer, it costs no
    measurable time (https://www.sqlite.org/c3ref/limit.html).
    """
    require_sqlite()
    # Cache no statements: EXPLAIN of a cached statement would ignore later changes of the schema.
    connection = sqlite3.connect(MEMORY, isolation_level=None, factory=_Memory, cached_statements=0)
    set_up(connection)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    # The real function uses its second argument as the address of code (https://www.sqlite.org/fts3.html#f3token).
    connection.create_function("fts3_tokenizer", 2, lambda *_: None)
    connection.set_progress_handler(IS_STOPPED.get(), INSTRUCTIONS)
    connection.execute("PRAGMA foreign_keys = OFF")
    return connection


def has_skipped_attach(connection: sqlite3.Connection) -> bool:
    """Return whether an ATTACH was skipped, so that statements may miss a database."""
    return isinstance(connection, _Memory) and connection.missing_databases > 0


def execute(connection: sqlite3.Connection, statement: str) -> sqlite3.Cursor:
    """Run one statement; define a stand-in for each missing collation or function.

    Raises:
        sqlite3.Error: SQLite refuses it for another reason.
    """
    defined: set[str] = set()
    is_alter = _verb(statement) == "ALTER"
    while True:
        try:
            with _undone_on_error(connection) if is_alter else nullcontext():
                return connection.execute(statement)
        except sqlite3.OperationalError as error:
            missing = _MISSING.search(str(error))
            if missing is None or missing[0] in defined:
                raise
            defined.add(missing[0])
            _stand_in(connection, missing["kind"] or "function", missing["name"].removesuffix("()"))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the statements of the ``with`` block; on an error, roll them back and reset PRAGMAs."""
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
    """Undo a failed statement: in a transaction, ADD COLUMN keeps its column even if a CHECK can't run."""
    connection.execute("SAVEPOINT alter_table")
    try:
        yield
    except sqlite3.Error:
        connection.execute("ROLLBACK TO alter_table")
        raise
    finally:
        connection.execute("RELEASE alter_table")


def _stand_in(connection: sqlite3.Connection, kind: str, name: str) -> None:
    if kind == "function":
        connection.create_function(name, -1, lambda *_: None, deterministic=True)
    else:
        connection.create_collation(name, lambda left, right: (left > right) - (left < right))
    if isinstance(connection, _Memory):
        connection.stand_ins |= {(kind, name)}


def copy_database(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return another database in memory with the same content."""
    other = open_memory()
    if isinstance(connection, _Memory):
        for kind, name in sorted(connection.stand_ins):
            _stand_in(other, kind, name)
    connection.backup(other)
    return other


def schema_copy(catalog: Iterable[CatalogRow], *, skip_refused: bool = False) -> sqlite3.Connection:
    """Return a database in memory with this ``catalog`` and no rows.

    Args:
        catalog: its objects; virtual tables come before their shadow tables.
        skip_refused: leave out what SQLite refuses, such as a shadow table that its virtual table has made.

    Raises:
        sqlite3.Error: SQLite refuses a statement.
    """
    other = open_memory()
    order = ("table", "index", "view", "trigger")
    for row in sorted(catalog, key=lambda row: order.index(row.kind)):
        with suppress(sqlite3.Error) if skip_refused else nullcontext():
            execute(other, row.sql)
    return other


def drop_triggers(connection: sqlite3.Connection) -> None:
    """Drop all triggers at once."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
    connection.execute("PRAGMA writable_schema = RESET")


def delete_rows(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Delete all rows of ``tables``. Drop the triggers first, so that none fires, and create them again."""
    triggers = [row.sql for row in read_catalog(connection) if row.kind == "trigger"]
    drop_triggers(connection)
    for table in tables:
        connection.execute(f"DELETE FROM {quote_name(table)}")
    for trigger in triggers:
        execute(connection, trigger)
