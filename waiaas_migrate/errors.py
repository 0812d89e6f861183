"""Every error of the package.

::

    MigrateError                     exit status 2 unless a class below says otherwise
    ├── UsageError                   2  wrong arguments
    ├── InputError                   2  broken input; has every Problem found
    │   ├── ProjectError             2  [tool.waiaas-migrate] in pyproject.toml
    │   ├── SchemaFileError          2  schema.yaml, or an enum it refers to
    │   ├── MigrationsError          2  the migrations folder or its manifest
    │   └── TemplateError            2  one of the project's own templates
    ├── DatabaseFileError            2  a file is not a SQLite database, is encrypted or corrupt, or cannot be opened
    ├── UnsupportedError             2  the package does not support the operation
    ├── DatabaseRefused              3  the database or its rows do not allow the operation
    │   ├── PragmaError              3  a PRAGMA did not take effect
    │   ├── ApplyError               3  a migration failed and was rolled back
    │   ├── DatabaseBusy             3  another connection held a lock for too long
    │   ├── UnknownMigrationsError   3  the database is ahead of this code
    │   └── OtherMigrationsError     3  the database ran other migrations than the folder has
    └── ProofError                   2  a bug in this package: SQL that it made gave another schema than expected

A message gives the place, the problem, and the fix. The command line prints ``str(error)``, without a traceback, and
exits with ``error.exit_code``. Every error can be pickled.
"""

from __future__ import annotations

import copyreg
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

#: The exit status after Ctrl-C, as in a shell.
INTERRUPTED = 130


class Picklable(BaseException):
    """An exception that can be pickled and copied, no matter which arguments its class takes."""

    def __reduce__(self) -> tuple[object, ...]:
        """Let pickle restore the exception from its text and attributes, without calling ``__init__``."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class MigrateError(Picklable, Exception):
    """The base class of every error that this package raises on purpose.

    ``committed`` names the migrations that the run committed before it failed. ``rolled_back`` is false if other
    changes remain. ``backup`` is the path of the backup made before the run, if the run changed the database or was
    asked to roll back migrations.
    """

    exit_code: ClassVar[int] = 2
    committed: tuple[str, ...] = ()
    backup: str | None = None
    rolled_back: bool = True
    _backup_database: str = ""

    def __str__(self) -> str:
        text = super().__str__()
        if self.committed or not self.rolled_back:
            # The code that raises an error knows only the current batch, not the batches committed before.
            text = text.replace("Nothing was changed", "Nothing else was changed")
        if self.committed:
            text += f" Committed before that, and kept: {', '.join(self.committed)}."
        if self.backup is not None:
            text += f" A backup from before the run is in {self.backup}."
            command = shlex.join(("waiaas-migrate", "restore", self._backup_database, self.backup))
            text += f" To restore it, run `{command}`."
        return text

    def note_committed(self, committed: Sequence[str], backup: object = None, database: str = "") -> None:
        """Note the migrations that the run committed and, unless it is None, the ``backup`` of ``database``."""
        self.committed = tuple(committed)
        if backup is not None:
            self.backup, self._backup_database = str(backup), database


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem in a file.

    Args:
        file: the path of the file.
        line: the line, counted from 1; None if the problem concerns the whole file.
        column: the column, counted from 1.
        path: the keys that lead to the problem, such as ``tables.agents.columns.id.type``.
        what: a sentence that states the problem.
        fix: a sentence that says how to correct it.
    """

    file: str
    line: int | None = None
    column: int | None = None
    path: str = ""
    what: str
    fix: str = ""

    def __str__(self) -> str:
        numbers = "".join(f":{number}" for number in (self.line, self.column) if number is not None)
        path = f", {self.path}" if self.path else ""
        return f"{self.file}{numbers}{path}: {self.what} {self.fix}".rstrip()


class UsageError(MigrateError):
    """Wrong arguments."""


class InputError(MigrateError):
    """Broken input; ``problems`` lists every problem, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ProjectError(InputError):
    """The project's configuration cannot be used."""


class SchemaFileError(InputError):
    """schema.yaml, or an enum that it refers to, cannot be used."""


class MigrationsError(InputError):
    """The migrations folder or its manifest cannot be used."""


class TemplateError(InputError):
    """A template cannot be used."""


class DatabaseFileError(MigrateError):
    """A file is not a SQLite database, or cannot be opened or read."""


class UnsupportedError(MigrateError):
    """The package does not support the operation; the message says why."""


class DatabaseRefused(MigrateError):
    """The database or its rows do not allow the operation.

    Only the migrations in ``committed`` changed the database, and the failed one if ``rolled_back`` is false.
    """

    exit_code: ClassVar[int] = 3


class PragmaError(DatabaseRefused):
    """A PRAGMA has a different value than the one that was set."""

    def __init__(self, *, name: str, wanted: str, found: str, database: str) -> None:
        self.name = name
        self.wanted = wanted
        self.found = found
        self.database = database
        super().__init__(
            f"{database}: PRAGMA {name} was set to {wanted} but reads back as {found}. "
            f"Correct `pragmas` in schema.yaml and run `waiaas-migrate generate`, or use a SQLite that supports it."
        )


class ApplyError(DatabaseRefused):
    """A migration failed.

    ``rolled_back`` is false if the migration ran outside a transaction, so its changes remain. ``was_rolling_back`` is
    true if the migration could not be rolled back and stays applied.
    """

    def __init__(
        self,
        *,
        database: str,
        migration: str,
        reason: str,
        statement: str | None = None,
        rolled_back: bool = True,
        was_rolling_back: bool = False,
    ) -> None:
        self.database = database
        self.migration = migration
        self.reason = reason
        self.statement = statement
        self.rolled_back = rolled_back
        self.was_rolling_back = was_rolling_back
        what = "failed outside a transaction, so its changes remain"
        if was_rolling_back:
            what = "could not be rolled back and stays applied"
        elif rolled_back:
            what = "failed and was rolled back"
        super().__init__(f"{database}: migration {migration} {what}: {reason}")

    def with_changes(self, **changes: object) -> ApplyError:
        """Return a new error with the arguments of this one, except those in ``changes``."""
        names = ("database", "migration", "reason", "statement", "rolled_back", "was_rolling_back")
        return ApplyError(**{name: getattr(self, name) for name in names} | changes)


class DatabaseBusy(DatabaseRefused):
    """Another connection held a lock for longer than the timeout, or ``process`` has the file open."""

    def __init__(self, *, database: str, doing: str, process: int | None = None) -> None:
        self.database = database
        self.doing = doing
        self.process = process
        what = f"timed out {doing}, because another connection held a lock"
        fix = "try again, or end the transaction of the other process"
        if process is not None:
            what, fix = f"process {process} has it open", "stop that process, or have it close the database"
        super().__init__(f"{database}: {what}. Nothing was changed; {fix}.")


class UnknownMigrationsError(DatabaseRefused):
    """The database has applied migrations that are not in the folder."""

    def __init__(self, *, database: str, unknown: Sequence[str]) -> None:
        self.database = database
        self.unknown = tuple(unknown)
        super().__init__(
            f"{database}: has applied migrations that are not in the migrations folder: {', '.join(self.unknown)}. "
            f"A newer version or another branch of the application applied them: use that one, or restore a backup. If "
            f"the database is your own and you have replaced or deleted these migrations, run "
            f"`waiaas-migrate apply --redo`."
        )


class OtherMigrationsError(DatabaseRefused):
    """The database ran other migrations than the folder has, or its records are wrong.

    It ran migrations with the same names and other texts, ran only a part of a squash, or records migrations that never
    ran. ``migrations`` names them.
    """

    def __init__(self, *, database: str, migrations: Sequence[str], what: str, fix: str) -> None:
        self.database = database
        self.migrations = tuple(migrations)
        super().__init__(f"{database}: {what} Nothing was changed. {fix}")


class ProofError(MigrateError):
    """A bug in this package: SQL that it made gave another schema than expected. Nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as data: ``kind`` is its class, ``message`` its text, and the other fields are its attributes."""

    kind: str
    message: str
    exit_code: int
    problems: tuple[Problem, ...] = ()
    committed: tuple[str, ...] = ()
    backup: str | None = None


def failure_of(error: MigrateError | KeyboardInterrupt) -> Failure:
    """Return ``error`` as data."""
    return Failure(
        kind=type(error).__name__,
        message=str(error) or "Interrupted.",
        exit_code=getattr(error, "exit_code", INTERRUPTED),
        problems=getattr(error, "problems", ()),
        committed=getattr(error, "committed", ()),
        backup=getattr(error, "backup", None),
    )
