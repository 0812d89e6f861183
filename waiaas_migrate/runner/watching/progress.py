"""How far a run has come, and how it is stopped: what is told is measured on the connection that does the work.

SQLite calls back every so many instructions of its virtual machine (https://www.sqlite.org/c3ref/progress_handler.html).
How many it runs for a row, ``EXPLAIN`` tells: the length of the loops of the statement's program
(https://www.sqlite.org/opcode.html). So the rows that are done can be told without asking the statement; they are about
right, since a loop may skip some of its instructions.

The callback is also what lets Ctrl-C end a statement: without it Python would see to the signal after the statement.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from waiaas_migrate.errors import INTERRUPTED, ApplyError, Failure, Picklable
from waiaas_migrate.sqlite.quoting import quote_name

#: Seconds that pass before anything is told, and between two tellings.
FIRST, NEXT = 1.0, 0.1

#: Instructions between two callbacks: a tenth of a millisecond or so where somebody looks on; a few where nobody does,
#: since many threads may wait for Python's lock.
_OFTEN, _SELDOM = 2_000, 50_000
#: Seconds that counting a table may take, so that one knows how far its copy has come.
_PATIENCE = 0.5
_LOOPS = frozenset({"Next", "Prev", "SorterNext", "VNext"})
_OPENS = frozenset({"OpenRead", "OpenWrite"})
#: The number of the main database in a program.
_MAIN = 0

Unit = Literal["rows", "pages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands: in words, its statement of how many, and what of it is done, where that is known."""

    migration: str
    words: str
    statement: int = 0
    statements: int = 0
    done: int | None = None
    total: int | None = None
    unit: Unit = "rows"


_NOTHING = Progress(migration="", words="")

Tell = Callable[[Progress], None]


class Stop(Protocol):
    """What says that a run shall end, such as a ``threading.Event``."""

    def is_set(self) -> bool:
        """Whether it shall."""
        ...  # pragma: no cover — a protocol's body never runs


class Interrupted(Picklable, KeyboardInterrupt):
    """A run was stopped from outside. ``committed`` names what had been by then.

    Those are migrations that were applied, or, if ``was_rolling_back``, rolled back. ``cause`` names the migration
    whose statement was interrupted; everything else was rolled back, unless that one ran outside a transaction.
    ``is_complete``: nothing was left to do.
    """

    def __init__(
        self,
        database: str,
        committed: Sequence[str] = (),
        *,
        was_rolling_back: bool = False,
        cause: ApplyError | None = None,
        is_complete: bool = False,
    ) -> None:
        self.database = database
        self.committed = tuple(committed)
        self.was_rolling_back = was_rolling_back
        self.is_complete = is_complete
        self.migration = None if cause is None else cause.migration
        self.rolled_back = cause is None or cause.rolled_back
        super().__init__(str(self))

    def __str__(self) -> str:
        names = ", ".join(self.committed)
        if names and self.is_complete and self.rolled_back and not self.was_rolling_back:
            return f"Interrupted, but too late: {names} had been applied to {self.database}."
        if names and self.was_rolling_back:
            return f"Interrupted, but too late: {names} had been taken back in {self.database}."
        where = "Interrupted" if self.migration is None else f"Interrupted in {self.migration}"
        if not self.rolled_back:
            kept = f"{names}, and " if names else ""
            return f"{where}; {self.database} keeps {kept}what this migration did outside a transaction."
        if names:
            return f"{where}; {self.database} keeps {names}, the rest was rolled back."
        return f"{where}; all was rolled back, and {self.database} is as it was."


class ReplayInterrupted(KeyboardInterrupt):
    """A replay in memory was stopped from outside; the text names the migration."""


def interruption_of(error: KeyboardInterrupt) -> Failure:
    """``error`` as data."""
    committed = error.committed if isinstance(error, Interrupted) else ()
    message = str(error) or "Interrupted."
    return Failure(kind=type(error).__name__, message=message, exit_code=INTERRUPTED, committed=committed)


def was_interrupted(error: BaseException | None) -> bool:
    """Whether ``error``, or what caused it, comes of a signal.

    Python drops the KeyboardInterrupt that is raised within a callback, and sqlite3 says that it was interrupted.
    """
    while error is not None:
        code = getattr(error, "sqlite_errorcode", 0)
        if isinstance(error, KeyboardInterrupt) or code & 0xFF == sqlite3.SQLITE_INTERRUPT:
            return True
        error = error.__cause__ or error.__context__
    return False


class Meter:
    """Watches one connection: tells how far it is, at most ten times a second, and ends what shall be ended."""

    def __init__(self, connection: sqlite3.Connection, *, tell: Tell | None = None, stop: Stop | None = None) -> None:
        self._connection = connection
        self._tell = tell
        self._stop = stop
        self._due, self._has_told = time.monotonic() + FIRST, False
        self._now = _NOTHING
        self._instructions = 0
        self._expected = 0
        self._every = _SELDOM if tell is None else _OFTEN

    def watch(self) -> None:
        """Look at the connection from here on."""
        self._connection.set_progress_handler(self._tick, self._every)

    def leave(self) -> None:
        """Look at it no more."""
        self._connection.set_progress_handler(None, 0)

    def start(self, progress: Progress, statement: str | None = None) -> None:
        """Begin with something else; of a ``statement`` that goes over the rows of a table they are counted."""
        self._now, self._instructions, self._expected = progress, 0, 0
        if self._tell is None:
            return
        if statement is not None:
            table, length = self._loop(statement)
            rows = self._rows(table) if table is not None else 0
            self._expected = rows * length
            self._now = _with(progress, None if not self._expected else 0, rows)
        self._show()

    def pages(self, done: int, total: int) -> None:
        """So many pages of a copy are done."""
        self._check()
        self._now = _with(self._now, done, total, "pages")
        if done >= total:  # what follows the copy takes as long, and says nothing until it is done
            self._now = Progress(migration=self._now.migration, words="checking the backup")
            self._due = min(self._due, time.monotonic()) if self._has_told else self._due
        self._show()

    def _check(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise KeyboardInterrupt

    def _tick(self) -> int:
        if self._stop is not None and self._stop.is_set():
            return 1
        self._instructions += self._every
        if self._expected and self._now.total:
            done = min(self._now.total, self._instructions * self._now.total // self._expected)
            self._now = _with(self._now, done, self._now.total)
        self._show()
        return 0

    def _show(self) -> None:
        if self._tell is not None and time.monotonic() >= self._due:
            self._due, self._has_told = time.monotonic() + NEXT, True
            self._tell(self._now)

    def _rows(self, table: str) -> int:
        """The rows of ``table``; 0 if counting takes long."""
        self._connection.set_progress_handler(_Deadline().has_passed, self._every)
        try:
            return int(self._connection.execute(f"SELECT count(*) FROM main.{quote_name(table)}").fetchone()[0])
        except sqlite3.Error:
            return 0
        finally:
            self._connection.set_progress_handler(self._tick, self._every)

    def _loop(self, statement: str) -> tuple[str | None, int]:
        """The table that ``statement`` goes over, and how many instructions it runs for each row.

        These are the lengths of the outermost loops. A program opens tables by the pages that they begin at.

        EXPLAIN of a statement that writes sets ``changes()`` to 0, so it isn't used if something asks for that.
        """
        if self._asks_for_changes(statement):
            return None, 0
        try:
            program = self._connection.execute(f"EXPLAIN {statement}").fetchall()
        except sqlite3.Error:
            return None, 0
        length, beginning, cursors = 0, len(program), list[int]()
        for address, opcode, cursor, target, *_ in reversed(program):
            if opcode in _LOOPS and target < address < beginning:
                length += address - target + 1
                beginning = target
                cursors.append(cursor)
        pages = {row[2]: row[3] for row in program if row[1] in _OPENS and row[4] == _MAIN}
        read = [pages[cursor] for cursor in reversed(cursors) if cursor in pages]
        query = "SELECT tbl_name FROM main.sqlite_master WHERE rootpage = ?"
        found = self._connection.execute(query, read[:1]).fetchone() if read else None
        return (None, 0) if found is None else (found[0], length)

    def _asks_for_changes(self, statement: str) -> bool:
        """Whether ``changes()`` may be called by the statement, or by a view or trigger."""
        if "changes" in statement.lower():
            return True
        query = "SELECT 1 FROM sqlite_master WHERE type IN ('view', 'trigger') AND instr(lower(sql), 'changes') LIMIT 1"
        return self._connection.execute(query).fetchone() is not None


class _Deadline:
    """The end of one's patience, from now on."""

    def __init__(self) -> None:
        self._at = time.monotonic() + _PATIENCE

    def has_passed(self) -> int:
        """Whether it is time to stop."""
        return int(time.monotonic() > self._at)


def _with(progress: Progress, done: int | None, total: int, unit: Unit = "rows") -> Progress:
    return Progress(
        migration=progress.migration,
        words=progress.words,
        statement=progress.statement,
        statements=progress.statements,
        done=done,
        total=total or None,
        unit=unit,
    )
