"""Measure the progress of a run, and stop the run if requested, by a progress handler of the connection.

SQLite calls the handler after every N instructions of its virtual machine
(https://www.sqlite.org/c3ref/progress_handler.html). ``EXPLAIN`` shows how many instructions a statement runs for each
row: the length of the loops in its program (https://www.sqlite.org/opcode.html). The number of calls and this length
give the number of rows done. This number is approximate, since a loop may skip instructions.

The handler also lets Ctrl-C end a statement. Without a handler, Python handles the signal only after the statement.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from typing import Self, assert_never

from waiaas_migrate.runner.watching.events import (
    Committed,
    Event,
    Listener,
    MigrationFinished,
    MigrationStarted,
    Progress,
    StatementStarted,
    StopRequest,
)
from waiaas_migrate.sqlite.quoting import quote_name

#: Seconds until the first progress event, and between two of them.
_FIRST_AFTER, _INTERVAL = 1.0, 0.1

#: Instructions between two calls of the handler. With a listener, they take about 0.1 ms. Without one, they take a few
#: milliseconds, since each call needs Python's global lock, and many threads may wait for the lock.
_OFTEN, _SELDOM = 2_000, 50_000
#: The longest time, in seconds, to spend on counting the rows of a table.
_COUNT_SECONDS = 0.5
_LOOPS = frozenset({"Next", "Prev", "SorterNext", "VNext"})
_OPENS = frozenset({"OpenRead", "OpenWrite"})
#: The number of the main database in the output of EXPLAIN.
_MAIN = 0


class Monitor:
    """Sends the events of a run to its listener, measures progress, and ends statements that must stop.

    Args:
        connection: the connection of the run.
        listener: receives the events, if given.
        stop: checked while statements run.
        is_attached: whether to set the progress handler of the connection. Without the handler, statements aren't
            measured, and neither Ctrl-C nor ``stop`` can end a statement.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        listener: Listener | None = None,
        stop: StopRequest | None = None,
        *,
        is_attached: bool = True,
    ) -> None:
        self._connection, self._listener, self._stop, self._is_attached = connection, listener, stop, is_attached
        self._due, self._has_sent = time.monotonic() + _FIRST_AFTER, False
        self._now = Progress(migration="", words="")
        self._instructions = 0
        #: How many instructions the statement will run in all; 0 if unknown.
        self._expected = 0
        self._every = _SELDOM if listener is None else _OFTEN

    def __enter__(self) -> Self:
        if self._is_attached:
            self.attach()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._is_attached:
            self._connection.set_progress_handler(None, 0)

    def attach(self) -> None:
        """Set the progress handler of the connection."""
        self._connection.set_progress_handler(self._tick, self._every)

    def send(self, event: Event) -> None:
        """Send ``event`` to the listener, and start to measure the step that it announces."""
        if self._listener is None:
            return
        self._listener(event)
        match event:
            case MigrationStarted(migration=name):
                self.start(Progress(migration=name, words="begins"))
            case StatementStarted(migration=name, number=number, total=total, line=line, sql=sql):
                self.start(Progress(migration=name, words=line, statement=number, statements=total), sql)
            case MigrationFinished(migration=name):
                self.start(Progress(migration=name, words="done"))
            case Committed() | Progress():
                pass
            case _:
                assert_never(event)

    def start(self, progress: Progress, statement: str = "") -> None:
        """Measure another step; if ``statement`` loops over the rows of a table, count the rows first."""
        self._now, self._instructions, self._expected = progress, 0, 0
        if self._listener is None:
            return
        if statement and self._is_attached:
            table, length = self._find_loop(statement)
            rows = self._count_rows(table) if table is not None else 0
            self._expected = rows * length
            self._now = replace(progress, done=0 if self._expected else None, total=rows or None)
        self._report_if_due()

    def note_pages(self, done: int, total: int) -> None:
        """Note that ``done`` of ``total`` pages of a backup are copied.

        Raises:
            KeyboardInterrupt: the run must stop.
        """
        if self._stop is not None and self._stop.is_set():
            raise KeyboardInterrupt
        self._now = replace(self._now, done=done, total=total, unit="pages")
        if done >= total:  # the check of the copy takes as long as the copy, and can't report progress
            self._now = Progress(migration=self._now.migration, words="checking the backup")
            self._due = min(self._due, time.monotonic()) if self._has_sent else self._due
        self._report_if_due()

    def _tick(self) -> int:
        """Note the progress; return 1 to end the statement, otherwise 0."""
        if self._stop is not None and self._stop.is_set():
            return 1
        self._instructions += self._every
        if self._listener is not None:
            self._report_if_due()
        return 0

    def _report_if_due(self) -> None:
        if self._listener is None or time.monotonic() < self._due:
            return
        self._due, self._has_sent = time.monotonic() + _INTERVAL, True
        if self._expected and self._now.total:
            done = min(self._now.total, self._instructions * self._now.total // self._expected)
            self._now = replace(self._now, done=done)
        self._listener(self._now)

    def _count_rows(self, table: str) -> int:
        """Return the number of rows of ``table``; 0 if counting takes too long or fails."""
        deadline = time.monotonic() + _COUNT_SECONDS
        self._connection.set_progress_handler(lambda: int(time.monotonic() > deadline), self._every)
        try:
            return int(self._connection.execute(f"SELECT count(*) FROM main.{quote_name(table)}").fetchone()[0])
        except sqlite3.Error:
            return 0
        finally:
            self.attach()

    def _find_loop(self, statement: str) -> tuple[str | None, int]:
        """Return the table that ``statement`` loops over, and the number of instructions per row.

        The number is the total length of the outermost loops. In the output of EXPLAIN, tables appear as root pages.

        EXPLAIN of a statement that writes resets ``changes()`` to 0. So return None and 0 if the statement may call
        ``changes()``.
        """
        if self._may_call_changes(statement):
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

    def _may_call_changes(self, statement: str) -> bool:
        """Return whether the statement, or any view or trigger, may call ``changes()``."""
        if "changes" in statement.lower():
            return True
        query = "SELECT 1 FROM sqlite_master WHERE type IN ('view', 'trigger') AND instr(lower(sql), 'changes') LIMIT 1"
        return self._connection.execute(query).fetchone() is not None
