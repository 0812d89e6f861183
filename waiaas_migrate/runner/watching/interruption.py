"""The errors of runs and replays that Ctrl-C or a stop request ended, and how to recognize them."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from traceback import clear_frames

from waiaas_migrate.errors import ApplyError, Picklable


class Interrupted(Picklable, KeyboardInterrupt):
    """A run was stopped by Ctrl-C or by a stop request.

    Args:
        database: the database's name.
        committed: the migrations that were applied or rolled back, and committed.
        was_rolling_back: whether the run was a rollback.
        cause: the error of the interrupted statement, with its migration; None outside a migration.
        is_complete: whether the run had committed all its migrations.
        is_known: whether ``committed`` could be read from the database.
    """

    def __init__(
        self,
        database: str,
        committed: Sequence[str] = (),
        *,
        was_rolling_back: bool = False,
        cause: ApplyError | None = None,
        is_complete: bool = False,
        is_known: bool = True,
    ) -> None:
        self.database = database
        self.committed = tuple(committed)
        self.was_rolling_back = was_rolling_back
        self.is_complete, self.is_known = is_complete, is_known
        self.migration = None if cause is None else cause.migration
        self.rolled_back = cause is None or cause.rolled_back
        super().__init__(str(self))

    def __str__(self) -> str:
        names = ", ".join(self.committed)
        start = "Interrupted" if self.migration is None else f"Interrupted in {self.migration}"
        if not self.is_known:
            hint = f"Run `waiaas-migrate status {shlex.quote(self.database)}` to see what was applied."
            return f"{start}, and {self.database} cannot be read now. {hint}"
        if not self.rolled_back:
            kept = f"{self.database} keeps what {self.migration} did outside a transaction"
            return f"{start}: {kept}, and {names}." if names else f"{start}: {kept}."
        if names and self.was_rolling_back:
            return f"Interrupted too late to stop the run: {names} had been rolled back in {self.database}."
        if names and self.is_complete:
            return f"Interrupted too late to stop the run: {names} had been applied to {self.database}."
        if names:
            return f"{start}: {self.database} keeps {names}; the rest was rolled back."
        return f"{start}: all was rolled back; {self.database} is unchanged."


class ReplayInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped a replay in memory."""


def was_interrupted(error: BaseException | None) -> bool:
    """Return whether ``error``, or any of its causes, comes from Ctrl-C or a stop request.

    If Ctrl-C is pressed while a progress handler runs, Python drops the KeyboardInterrupt, and sqlite3 raises an error
    with the code SQLITE_INTERRUPT instead.
    """
    for one in _chain(error):
        code = getattr(one, "sqlite_errorcode", 0)
        if isinstance(one, KeyboardInterrupt) or code & 0xFF == sqlite3.SQLITE_INTERRUPT:
            return True
    return False


def release_statements(error: BaseException) -> None:
    """End the statements that ``error`` interrupted, so that closing their connection releases its locks.

    A closed connection stays alive while it has open statements (https://www.sqlite.org/c3ref/close.html). The frames
    of the error's traceback keep the cursors of these statements.
    """
    for one in _chain(error):
        clear_frames(one.__traceback__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
