"""Find wrong PRAGMAs by setting them, because SQLite silently ignores most of them."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.errors import PragmaError, UsageError
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.database.pragmas import LAYOUT, OF_THE_PROCESS, WORDS, Pragma, apply_pragmas, read_pragma


@dataclass(frozen=True, slots=True, kw_only=True)
class PragmaFault:
    """A PRAGMA that can't be set, and the reason.

    Args:
        pragma: the PRAGMA.
        what: what is wrong, as a sentence.
        word: the wrong word, for a suggestion; empty if no word is wrong.
        known: the words that are right in place of ``word``.
    """

    pragma: Pragma
    what: str
    word: str
    known: tuple[str, ...] = ()


def pragma_faults(pragmas: Sequence[Pragma]) -> tuple[PragmaFault, ...]:
    """Return the PRAGMAs that don't keep their value on a new temporary database.

    PRAGMAs that apply to the whole process are not tried.

    Raises:
        UsageError: there is no temporary folder.
    """
    tried = [pragma for pragma in pragmas if pragma.name.lower() not in OF_THE_PROCESS]
    if not tried:
        return ()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="waiaas-") as folder,
            closing(connect_file(Path(folder) / "scratch.db")) as connection,
        ):
            return tuple(_faults(connection, tried))
    except OSError as error:
        fix = "Set TMPDIR to a folder that can be written."
        raise UsageError(f"PRAGMAs are tried on a scratch database, which can't be made: {error}. {fix}") from None


def _faults(connection: sqlite3.Connection, pragmas: Sequence[Pragma]) -> Iterator[PragmaFault]:
    connection.execute("PRAGMA synchronous = OFF")  # the file is deleted anyway
    # As on a new database, set the PRAGMAs for the layout of the file first.
    for pragma in sorted(pragmas, key=lambda pragma: pragma.name.lower() not in LAYOUT):
        try:
            apply_pragmas(connection, [pragma])
        except PragmaError as error:
            yield _fault(connection, pragma, error.found)


def _fault(connection: sqlite3.Connection, pragma: Pragma, found: str) -> PragmaFault:
    names = tuple(name for (name,) in connection.execute("PRAGMA pragma_list"))
    if pragma.name.lower() not in names:
        what = f"SQLite {sqlite3.sqlite_version} does not know this PRAGMA, and would ignore it."
        return PragmaFault(pragma=pragma, what=what, word=pragma.name, known=names)
    if read_pragma(connection.cursor(), pragma.name) is None:
        what = "SQLite reports no value for this PRAGMA, so it can't be verified on every open."
        return PragmaFault(pragma=pragma, what=what, word="")
    what = f"set to {pragma.value}, SQLite reports {found}."
    return PragmaFault(pragma=pragma, what=what, word=str(pragma.value), known=WORDS.get(pragma.name.lower(), ()))
