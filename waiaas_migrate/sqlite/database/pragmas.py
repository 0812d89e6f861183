"""Check the PRAGMAs of a schema, set them on a connection, and read each one back."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.errors import DatabaseBusy, PragmaError, UsageError
from waiaas_migrate.sqlite.database.connection import DEFAULT_TIMEOUT, database_name, main_file, plain_error
from waiaas_migrate.sqlite.database.file import is_wal


@dataclass(frozen=True, slots=True, kw_only=True)
class Pragma:
    """A PRAGMA to set on every connection, and its value: a word or a whole number."""

    name: str
    value: str | int


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: A value that is a word, such as ``WAL`` or ``UTF-8``.
PRAGMA_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)

_BOOLEANS = {"on": 1, "yes": 1, "true": 1, "off": 0, "no": 0, "false": 0}
#: The journal modes in which SQLite can roll back, and recover after a crash
#: (https://www.sqlite.org/pragma.html#pragma_journal_mode). Every other text is unsafe, because SQLite accepts
#: abbreviations, such as ``m`` for MEMORY.
SAFE_JOURNALS = frozenset({"wal", "delete", "truncate", "persist"})
_FLAGS = """
    automatic_index cell_size_check checkpoint_fullfsync defer_foreign_keys foreign_keys fullfsync
    ignore_check_constraints legacy_alter_table query_only read_uncommitted recursive_triggers
    reverse_unordered_selects trusted_schema writable_schema
"""
#: The words that a PRAGMA accepts, by name. SQLite reports ON and OFF as 1 and 0, and some other words as their index
#: in the tuple.
WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_FLAGS.split(), ("ON", "OFF")),
    "auto_vacuum": ("NONE", "FULL", "INCREMENTAL"),
    "encoding": ("UTF-8", "UTF-16", "UTF-16le", "UTF-16be"),
    "journal_mode": tuple(mode.upper() for mode in sorted(SAFE_JOURNALS)),
    "locking_mode": ("NORMAL", "EXCLUSIVE"),
    "secure_delete": ("OFF", "ON", "FAST"),
    "synchronous": ("OFF", "NORMAL", "FULL", "EXTRA"),
    "temp_store": ("DEFAULT", "FILE", "MEMORY"),
}

#: PRAGMAs that are stored in the file. Setting one to its current value would needlessly write or lock the file.
_STORED_IN_FILE = frozenset({"journal_mode", "auto_vacuum", "page_size", "encoding", "user_version", "application_id"})
#: PRAGMAs that take effect only before a file's first table (https://www.sqlite.org/pragma.html#pragma_page_size).
LAYOUT = frozenset({"auto_vacuum", "page_size", "encoding"})
#: PRAGMAs without effect on a database in memory.
_FILE_ONLY = frozenset({"journal_mode", "mmap_size"})
#: PRAGMAs that apply to the whole process.
PROCESS_WIDE = frozenset({"temp_store_directory", "data_store_directory", "hard_heap_limit", "soft_heap_limit"})
#: PRAGMAs that a schema can't set.
REFUSED = frozenset({"schema_version"})
UNSAFE_JOURNAL = "Without a journal on disk, a migration that fails or is interrupted corrupts the database."

_SETS_JOURNAL = re.compile(
    r"""PRAGMA \s+ (?: (?: \w+ | "[^"]+" ) \s* \. \s* )? ["'`[]? journal_mode ["'`\]]? \s* [=(] \s*
    ["'`[]? (?P<mode> \w+ )""",
    re.IGNORECASE | re.VERBOSE,
)


def pragma_problem(name: str, value: str | int) -> str | None:
    """Return why a schema must not set the PRAGMA ``name`` to ``value``; None if it may."""
    if name.lower() == "journal_mode" and str(value).lower() not in SAFE_JOURNALS:
        return f"journal_mode must be WAL, DELETE, TRUNCATE or PERSIST, not {value}. {UNSAFE_JOURNAL}"
    if name.lower() in REFUSED:
        return (
            "schema_version is SQLite's own count of schema changes. Setting it hides changes from other connections."
        )
    return None


def unsafe_journal(statement: str) -> str | None:
    """Return the unsafe journal mode that ``statement`` sets; None if it sets none.

    ``statement`` must start with its first word, not with a comment.
    """
    found = _SETS_JOURNAL.match(statement)
    return None if found is None or found["mode"].lower() in SAFE_JOURNALS else found["mode"]


def _check_syntax(pragma: Pragma) -> None:
    value = str(pragma.value)
    if not _NAME.match(pragma.name) or not (PRAGMA_WORD.match(value) or _NUMBER.match(value)):
        what = "a PRAGMA takes a plain name, and a word or a whole number. Correct `pragmas` in schema.yaml."
        raise UsageError(f"PRAGMA {pragma.name} = {value}: {what}")


def read_pragma(cursor: sqlite3.Cursor, text: str) -> str | int | None:
    """Run ``PRAGMA name`` or ``PRAGMA name = value``; return the value that SQLite reports; None if it reports none."""
    rows = cursor.execute(f"PRAGMA {text}").fetchall()
    value: str | int | bytes | None = rows[0][0] if rows else None
    return value.decode() if isinstance(value, bytes) else value


def matches(pragma: Pragma, found: str | int | None) -> bool:
    """Return whether SQLite's value ``found`` means the declared value of ``pragma``."""
    if found is None or found == pragma.value:
        return found is not None
    name, wanted = pragma.name.lower(), str(pragma.value).lower()
    if isinstance(found, int):
        words = [word.lower() for word in WORDS.get(name, ())]
        if wanted in _BOOLEANS:
            return found == _BOOLEANS[wanted]
        return found == (words.index(wanted) if wanted in words else _NUMBER.match(wanted) and int(wanted))
    if name == "encoding":
        # SQLite reports UTF-16 as UTF-16le or UTF-16be, depending on the machine. The hyphen is optional.
        return str(found).lower().replace("-", "").startswith(wanted.replace("-", ""))
    return str(found).lower() == wanted


def apply_pragmas(connection: sqlite3.Connection, pragmas: Sequence[Pragma], database: str | None = None) -> None:
    """Set each PRAGMA in order, unless the file already has its value, and verify it.

    ``database`` is the database's name for messages; by default, its path.

    Raises:
        PragmaError: SQLite rejects a PRAGMA, or reports another value or none afterwards.
        MigrateError: the file can't be used; DatabaseBusy if other connections kept it locked.
        UsageError: a name isn't a single word, or a value isn't a word or a whole number.
    """
    cursor = sqlite3.Cursor(connection)  # connection.cursor() may return the application's own class
    cursor.row_factory = None
    deadline = time.monotonic() + wait_timeout(pragmas)
    for pragma in pragmas:
        _check_syntax(pragma)
        if pragma.name.lower() in _STORED_IN_FILE and matches(pragma, read_pragma(cursor, pragma.name)):
            continue
        found = _set(cursor, pragma, database, deadline)
        if found is None or not matches(pragma, found):
            found = read_pragma(cursor, pragma.name)
        if not matches(pragma, found) and not _has_no_effect(connection, pragma):
            text, where = "nothing" if found is None else str(found), database or database_name(connection)
            raise PragmaError(name=pragma.name, wanted=str(pragma.value), found=text, database=where)


def _has_no_effect(connection: sqlite3.Connection, pragma: Pragma) -> bool:
    """Return whether ``pragma`` has no effect because the database is in memory or immutable.

    SQLite reads an immutable file without its journal, so it does not report that the file is in WAL mode.
    """
    if pragma.name.lower() not in _FILE_ONLY:
        return False
    file = main_file(connection)
    return not file or (matches(pragma, "wal") and is_wal(Path(file)))


def apply_layout_pragmas(
    connection: sqlite3.Connection, pragmas: Sequence[Pragma], database: str | None = None
) -> None:
    """Set the PRAGMAs that take effect only before the first table, if there is none yet."""
    layout = [pragma for pragma in pragmas if pragma.name.lower() in LAYOUT]
    if layout and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        apply_pragmas(connection, layout, database)


def wait_timeout(pragmas: Sequence[Pragma]) -> float:
    """Return the busy timeout in seconds, by default 5; opening a database uses it, too."""
    declared = (str(pragma.value) for pragma in pragmas if pragma.name.lower() == "busy_timeout")
    return next((int(value) / 1000 for value in declared if value.isdecimal() and value.isascii()), DEFAULT_TIMEOUT)


def _set(cursor: sqlite3.Cursor, pragma: Pragma, database: str | None, deadline: float) -> str | int | None:
    """Set ``pragma``, with retries until ``deadline``; return the value that SQLite reports.

    Without retries, a switch to WAL would fail at once, because SQLite doesn't apply ``busy_timeout`` there
    (https://www.sqlite.org/c3ref/busy_handler.html).
    """
    pause = 0.001
    while True:
        try:
            return read_pragma(cursor, f"{pragma.name} = '{pragma.value}'")
        except sqlite3.OperationalError as error:
            plain = plain_error(error, cursor.connection, doing=f"setting PRAGMA {pragma.name}")
            if plain is None:
                name, found = database or database_name(cursor.connection), f"an error, {error}"
                raise PragmaError(name=pragma.name, wanted=str(pragma.value), found=found, database=name) from error
            if not isinstance(plain, DatabaseBusy) or time.monotonic() > deadline:
                raise plain from error
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
