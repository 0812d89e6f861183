"""Set the PRAGMAs of a schema on a connection, and compare them with what SQLite reports."""

from __future__ import annotations

import functools
import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.errors import DatabaseBusy, PragmaError, UsageError
from waiaas_migrate.sqlite.database.connection import DEFAULT_TIMEOUT, database_name, main_file, plain_error
from waiaas_migrate.sqlite.database.file import is_wal


@dataclass(frozen=True, slots=True, kw_only=True)
class Pragma:
    """A PRAGMA for every connection, with its declared value: a word or a number."""

    name: str
    value: str | int


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: A value that is a word, such as ``WAL`` or ``UTF-8``.
PRAGMA_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)

#: Words that SQLite reads as numbers (https://www.sqlite.org/pragma.html), and reports as numbers.
_BOOLEANS = {"on": 1, "yes": 1, "true": 1, "off": 0, "no": 0, "false": 0}
_WORDS: dict[str, dict[str, int]] = {
    "synchronous": {"off": 0, "normal": 1, "full": 2, "extra": 3},
    "temp_store": {"default": 0, "file": 1, "memory": 2},
    "auto_vacuum": {"none": 0, "full": 1, "incremental": 2},
    "secure_delete": {"fast": 2},
}

#: PRAGMAs kept in the file. Setting one to the value that it has would needlessly write or lock the file.
KEPT_IN_FILE = frozenset({"journal_mode", "auto_vacuum", "page_size", "encoding", "user_version", "application_id"})
#: PRAGMAs that take effect only before a file's first table (https://www.sqlite.org/pragma.html#pragma_page_size).
SHAPE = frozenset({"auto_vacuum", "page_size", "encoding"})
FILE_ONLY = frozenset({"journal_mode", "mmap_size"})  # without effect in memory
#: The journal modes in which SQLite can roll back, and recover after a crash
#: (https://www.sqlite.org/pragma.html#pragma_journal_mode). It also accepts abbreviations, such as ``m`` for MEMORY.
SAFE_JOURNALS = frozenset({"wal", "delete", "truncate", "persist"})
#: PRAGMAs that apply to the whole process.
OF_THE_PROCESS = frozenset({"temp_store_directory", "data_store_directory", "hard_heap_limit", "soft_heap_limit"})
#: The words of PRAGMAs that report text.
_TEXTS = {
    "journal_mode": tuple(mode.upper() for mode in sorted(SAFE_JOURNALS)),
    "encoding": ("UTF-8", "UTF-16", "UTF-16le", "UTF-16be"),
    "locking_mode": ("NORMAL", "EXCLUSIVE"),
}
_FLAGS = frozenset(
    """
    automatic_index cell_size_check checkpoint_fullfsync defer_foreign_keys foreign_keys fullfsync
    ignore_check_constraints legacy_alter_table query_only read_uncommitted recursive_triggers
    reverse_unordered_selects trusted_schema writable_schema
    """.split()
)
#: PRAGMAs that a schema can't set.
REFUSED = frozenset({"schema_version"})
UNSAFE_JOURNAL = "Without a journal on disk, a migration that fails or is interrupted corrupts the database."

_SETS_JOURNAL = re.compile(
    r"""PRAGMA \s+ (?: (?: \w+ | "[^"]+" ) \s* \. \s* )? ["'`[]? journal_mode ["'`\]]? \s* [=(] \s*
    ["'`[]? (?P<mode> \w+ )""",
    re.IGNORECASE | re.VERBOSE,
)


def pragma_problem(name: str, value: str | int) -> str | None:
    """Return what is wrong with setting the PRAGMA ``name`` to ``value`` on every connection, or None."""
    if name.lower() == "journal_mode" and str(value).lower() not in SAFE_JOURNALS:
        return f"journal_mode must be WAL, DELETE, TRUNCATE or PERSIST, not {value}. {UNSAFE_JOURNAL}"
    if name.lower() in REFUSED:
        return (
            "schema_version is SQLite's own count of schema changes. Setting it hides changes from other connections."
        )
    return None


def known_words() -> dict[str, tuple[str, ...]]:
    """Return the PRAGMAs that take words, with those words."""
    return {name: words_of(name) for name in sorted({*_TEXTS, *_WORDS, *_FLAGS})}


def words_of(name: str) -> tuple[str, ...]:
    """Return the words that the PRAGMA ``name`` takes; none if it takes numbers, or they aren't known."""
    if name.lower() in _FLAGS:
        return ("ON", "OFF")
    return _TEXTS.get(name.lower()) or tuple(word.upper() for word in _WORDS.get(name.lower(), {}))


def unsafe_journal(statement: str) -> str | None:
    """Return the unsafe journal mode that ``statement`` sets; None if it sets a safe one, or none.

    ``statement`` starts with its verb, not with a comment.
    """
    found = _SETS_JOURNAL.match(statement)
    return None if found is None or found["mode"].lower() in SAFE_JOURNALS else found["mode"]


@functools.lru_cache(maxsize=256)
def checked_name(name: str, value: str | int) -> str:
    """Return the name of a PRAGMA in lower case.

    Raises:
        UsageError: the name is not a plain name, or the value not a word or a whole number.
    """
    if not _NAME.match(name) or not (PRAGMA_WORD.match(str(value)) or _NUMBER.match(str(value))):
        what = "a PRAGMA takes a plain name, and a word or a whole number. Correct `pragmas` in schema.yaml."
        raise UsageError(f"PRAGMA {name} = {value}: {what}")
    return name.lower()


def set_together(cursor: sqlite3.Cursor, pragmas: Sequence[Pragma]) -> bool:
    """Set ``pragmas`` with one call, in their order; return whether all then have their declared values.

    If a PRAGMA kept in the file has another value, nothing is set, so that this never writes or waits for a lock.

    Raises:
        UsageError: as for :func:`checked_name`.
    """
    kept: list[tuple[Pragma, str]] = []
    others: list[tuple[Pragma, str]] = []
    for pragma in pragmas:
        name = checked_name(pragma.name, pragma.value)
        (kept if name in KEPT_IN_FILE else others).append((pragma, name))
    if cursor.connection.in_transaction:  # executescript would commit it
        return False
    try:
        if not _are_set(cursor, kept):
            return False
        cursor.executescript(";".join([f"PRAGMA {name} = '{pragma.value}'" for pragma, name in others]))
        return _are_set(cursor, others)
    except sqlite3.Error:
        return False


def _are_set(cursor: sqlite3.Cursor, pragmas: Sequence[tuple[Pragma, str]]) -> bool:
    return all(matches(pragma, read_pragma(cursor, name)) for pragma, name in pragmas)


def read_pragma(cursor: sqlite3.Cursor, name: str) -> str | int | None:
    """Return the current value of a PRAGMA; None if SQLite doesn't know it."""
    return only_value(cursor.execute(f"PRAGMA {name}").fetchall())


def only_value(rows: list[tuple[str | int | bytes | None]]) -> str | int | None:
    """Return the value in the result of a PRAGMA; None if it is empty."""
    value = rows[0][0] if rows else None
    return value.decode() if isinstance(value, bytes) else value


def matches(pragma: Pragma, found: str | int | None) -> bool:
    """Return whether ``found``, the value that SQLite reports, is the declared value of ``pragma``."""
    if found is None or found == pragma.value:
        return found is not None
    wanted = str(pragma.value).lower()
    if isinstance(found, int):
        number = _WORDS.get(pragma.name.lower(), _BOOLEANS).get(wanted, _BOOLEANS.get(wanted))
        return found == (int(wanted) if number is None and _NUMBER.match(wanted) else number)
    if pragma.name.lower() == "encoding":
        # SQLite reports UTF-16 as UTF-16le or UTF-16be, depending on the machine; the hyphen is optional.
        return str(found).lower().replace("-", "").startswith(wanted.replace("-", ""))
    return str(found).lower() == wanted


def apply_pragmas(connection: sqlite3.Connection, pragmas: Sequence[Pragma], database: str | None = None) -> None:
    """Set each PRAGMA in order and read it back; ``database`` is its name for messages.

    Raises:
        PragmaError: one reads back another value, or nothing.
        DatabaseBusy: other connections kept the journal mode from being changed.
        UsageError: a name or value isn't a plain word or number.
    """
    cursor = sqlite3.Cursor(connection)  # connection.cursor() may be the application's own
    cursor.row_factory = None
    if set_together(cursor, pragmas):
        return
    deadline = time.monotonic() + wait_timeout(pragmas)
    for pragma in pragmas:
        name = checked_name(pragma.name, pragma.value)
        if name in KEPT_IN_FILE and matches(pragma, read_pragma(cursor, name)):
            continue
        found = _set(cursor, pragma, database, deadline)
        if found is None or not matches(pragma, found):
            found = read_pragma(cursor, name)
        if not matches(pragma, found) and not _has_no_effect(connection, pragma):
            text, where = "nothing" if found is None else str(found), database or database_name(connection)
            raise PragmaError(name=pragma.name, wanted=str(pragma.value), found=text, database=where)


def _has_no_effect(connection: sqlite3.Connection, pragma: Pragma) -> bool:
    """Return whether ``pragma`` has no effect on this connection: in memory, or on an immutable file.

    An immutable file is read without its journal, so SQLite does not report that the file is in WAL mode.
    """
    if pragma.name.lower() not in FILE_ONLY:
        return False
    file = main_file(connection)
    return not file or (matches(pragma, "wal") and is_wal(Path(file)))


def apply_layout_pragmas(
    connection: sqlite3.Connection, pragmas: Sequence[Pragma], database: str | None = None
) -> None:
    """Set the PRAGMAs that only take effect before the first table, if there is no table yet."""
    layout = [pragma for pragma in pragmas if pragma.name.lower() in SHAPE]
    if layout and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        apply_pragmas(connection, layout, database)


def wait_timeout(pragmas: Sequence[Pragma]) -> float:
    """Return the declared busy timeout in seconds, which counts even before PRAGMAs are set."""
    declared = (str(pragma.value) for pragma in pragmas if pragma.name.lower() == "busy_timeout")
    return next((int(value) / 1000 for value in declared if value.isdecimal() and value.isascii()), DEFAULT_TIMEOUT)


def _set(cursor: sqlite3.Cursor, pragma: Pragma, database: str | None, deadline: float) -> str | int | None:
    """Set ``pragma``; return the new value if SQLite reports it. While the file is locked, try until ``deadline``.

    Switching to WAL doesn't wait for ``busy_timeout`` (https://www.sqlite.org/c3ref/busy_handler.html).
    """
    pause = 0.001
    while True:
        try:
            rows = cursor.execute(f"PRAGMA {pragma.name} = '{pragma.value}'").fetchall()
        except sqlite3.OperationalError as error:
            plain = plain_error(error, cursor.connection, doing=f"setting PRAGMA {pragma.name}")
            if plain is None:
                name, found = database or database_name(cursor.connection), f"an error, {error}"
                raise PragmaError(name=pragma.name, wanted=str(pragma.value), found=found, database=name) from error
            if not isinstance(plain, DatabaseBusy) or time.monotonic() > deadline:
                raise plain from error
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        else:
            return only_value(rows)
