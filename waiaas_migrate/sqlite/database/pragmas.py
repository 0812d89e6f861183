"""PRAGMAs as they are declared, set and read back."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from waiaas_migrate.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pragma:
    """A PRAGMA that every connection gets, and its value as declared: a word or a number."""

    name: str
    value: str | int


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: A value that is a word, such as ``WAL`` or ``UTF-8``.
PRAGMA_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)

#: The words that SQLite takes for numbers (https://www.sqlite.org/pragma.html); it reads all of them back as numbers.
_BOOLEANS = {"on": 1, "yes": 1, "true": 1, "off": 0, "no": 0, "false": 0}
_WORDS: dict[str, dict[str, int]] = {
    "synchronous": {"off": 0, "normal": 1, "full": 2, "extra": 3},
    "temp_store": {"default": 0, "file": 1, "memory": 2},
    "auto_vacuum": {"none": 0, "full": 1, "incremental": 2},
    "secure_delete": {"fast": 2},
}

#: They are kept in the file: setting one that is set already would write for nothing, or ask for a lock.
KEPT_IN_FILE = frozenset({"journal_mode", "auto_vacuum", "page_size", "encoding", "user_version", "application_id"})
#: They shape a file and take effect before its first table only (https://www.sqlite.org/pragma.html#pragma_page_size).
SHAPE = frozenset({"auto_vacuum", "page_size", "encoding"})
FILE_ONLY = frozenset({"journal_mode", "mmap_size"})  # of no use without a file
#: The journal modes in which SQLite can roll back, and recover after a crash
#: (https://www.sqlite.org/pragma.html#pragma_journal_mode). It takes abbreviations too, such as ``m`` for MEMORY.
SAFE_JOURNALS = frozenset({"wal", "delete", "truncate", "persist"})
UNSAFE_JOURNAL = "Without a journal on disk, a migration that fails or is interrupted corrupts the database."

#: Where a statement sets the journal mode, and to what.
_SETS_JOURNAL = re.compile(
    r"""PRAGMA \s+ (?: (?: \w+ | "[^"]+" ) \s* \. \s* )? ["'`[]? journal_mode ["'`\]]? \s* [=(] \s*
    ["'`[]? (?P<mode> \w+ )""",
    re.IGNORECASE | re.VERBOSE,
)


def pragma_problem(name: str, value: str | int) -> str | None:
    """Return what is wrong with setting the PRAGMA ``name`` to ``value`` on every connection, or None."""
    if name.lower() == "journal_mode" and str(value).lower() not in SAFE_JOURNALS:
        return f"journal_mode must be WAL, DELETE, TRUNCATE or PERSIST, not {value}. {UNSAFE_JOURNAL}"
    if name.lower() == "schema_version":
        return (
            "schema_version is SQLite's own count of schema changes. Setting it hides changes from other connections."
        )
    return None


def unsafe_journal(statement: str) -> str | None:
    """Return the journal mode that ``statement``, which begins with its code, sets; None if it is a safe one."""
    found = _SETS_JOURNAL.match(statement)
    return None if found is None or found["mode"].lower() in SAFE_JOURNALS else found["mode"]


@functools.lru_cache(maxsize=256)
def checked_name(name: str, value: str | int) -> str:
    """The name of a PRAGMA in lower case, once it is known to be a plain name, with a plain value.

    Raises:
        UsageError: it is not.
    """
    if not _NAME.match(name) or not (PRAGMA_WORD.match(str(value)) or _NUMBER.match(str(value))):
        what = "a PRAGMA takes a plain name, and a word or a whole number. Correct `pragmas` in schema.yaml."
        raise UsageError(f"PRAGMA {name} = {value}: {what}")
    return name.lower()


def set_together(cursor: sqlite3.Cursor, pragmas: Sequence[Pragma]) -> bool:
    """Set ``pragmas`` by one call, in their order, and read each back; False where not all is plainly as declared.

    What is kept in the file is looked at before, and must be set already: nothing is written here, or waited for.

    Raises:
        UsageError: a name or value that is no plain word or number.
    """
    kept: list[tuple[Pragma, str]] = []
    others: list[tuple[Pragma, str]] = []
    for pragma in pragmas:
        name = checked_name(pragma.name, pragma.value)
        (kept if name in KEPT_IN_FILE else others).append((pragma, name))
    if cursor.connection.in_transaction:  # which a script would commit
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
    """The value of a PRAGMA now; None where SQLite does not know it."""
    return only_value(cursor.execute(f"PRAGMA {name}").fetchall())


def only_value(rows: list[tuple[str | int | bytes | None]]) -> str | int | None:
    """What a PRAGMA told, if it told anything."""
    value = rows[0][0] if rows else None
    return value.decode() if isinstance(value, bytes) else value


def matches(pragma: Pragma, found: str | int | None) -> bool:
    """Whether ``found``, as read from SQLite, is what ``pragma`` declares."""
    if found is None or found == pragma.value:
        return found is not None
    wanted = str(pragma.value).lower()
    if isinstance(found, int):
        number = _WORDS.get(pragma.name.lower(), _BOOLEANS).get(wanted, _BOOLEANS.get(wanted))
        return found == (int(wanted) if number is None and _NUMBER.match(wanted) else number)
    if pragma.name.lower() == "encoding":
        # UTF-16 is that of the machine, and reads back as UTF-16le or UTF-16be; the hyphen may be left out.
        return str(found).lower().replace("-", "").startswith(wanted.replace("-", ""))
    return str(found).lower() == wanted
