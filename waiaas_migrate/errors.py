"""Every error of the toolkit, in one tree.

::

    MigrateError                     exit status 2 unless a class below says otherwise
    ├── UsageError                   2  wrong arguments
    ├── InputError                   2  something that was read is broken; carries every Problem found
    │   ├── ProjectError             2  [tool.waiaas-migrate] in pyproject.toml
    │   ├── SchemaFileError          2  schema.yaml, or an enum it refers to
    │   ├── MigrationsError          2  the migrations folder or its manifest
    │   └── TemplateError            2  a template of the project's own
    ├── DatabaseFileError            2  not a database, encrypted, corrupt, not to be opened
    ├── UnsupportedError             2  something that cannot be handled, named
    ├── DatabaseRefused              3  the database, or what is in it, said no; nothing was changed
    │   ├── PragmaError              3  a PRAGMA did not take
    │   ├── ApplyError               3  a migration failed and was rolled back
    │   ├── DatabaseBusy             3  another connection held a lock for longer than was waited
    │   └── UnknownMigrationsError   3  the database is ahead of this code
    └── ProofError                   2  the tool's own fault: a migration failed its proof, nothing was written

A message says where, what, and what to do about it. The command line prints ``str(error)`` and exits with
``error.exit_code``; no traceback reaches a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

#: The exit status of what was interrupted, as a shell gives it.
INTERRUPTED = 130


class Picklable(BaseException):
    """An exception that can be pickled and copied, whatever arguments its class takes."""

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the text and the attributes; the arguments of the class are not needed again."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[Picklable], args: tuple[object, ...]) -> Picklable:
    error = kind.__new__(kind)
    error.args = args
    return error


class MigrateError(Picklable, Exception):
    """The base of every error that this package raises on purpose."""

    exit_code: ClassVar[int] = 2
    committed: tuple[str, ...] = ()
    backup: str | None = None

    def after(self, committed: Sequence[str]) -> None:
        """Note which migrations of the run had been committed already, and say so."""
        if committed:
            self.committed = tuple(committed)
            text = str(self).replace("Nothing was changed", "Nothing more was changed")
            self.args = (f"{text} Committed before, and kept: {', '.join(committed)}.",)

    def backed_up(self, path: object) -> None:
        """Say where what was there before is, where the database is not as it was."""
        if self.committed:
            self._backed_up(path)

    def _backed_up(self, path: object) -> None:
        self.backup = str(path)
        self.args = (f"{self} What was there before is in {path}.",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong in a file, and what to do about it.

    ``line`` and ``column`` count from 1; they are None where the whole file is meant.
    ``path`` is the key path inside the file, such as ``tables.agents.columns.id.type``.
    """

    file: str
    line: int | None = None
    column: int | None = None
    path: str = ""
    what: str
    fix: str = ""

    def __str__(self) -> str:
        where = self.file
        if self.line is not None:
            where += f":{self.line}"
            if self.column is not None:
                where += f":{self.column}"
        if self.path:
            where += f", {self.path}"
        fix = f" {self.fix}" if self.fix else ""
        return f"{where}: {self.what}{fix}"


class UsageError(MigrateError):
    """Arguments that cannot be used as they are."""


class InputError(MigrateError):
    """Input that is broken; ``problems`` holds everything found, not only the first."""

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
    """A file that is no SQLite database, or one that cannot be opened or read."""


class UnsupportedError(MigrateError):
    """Something that the toolkit does not handle, named, so that nothing is skipped in silence."""


class DatabaseRefused(MigrateError):
    """The database, or the rows in it, refused; it is as it was before, but for the migrations in ``committed``."""

    exit_code: ClassVar[int] = 3


class PragmaError(DatabaseRefused):
    """A PRAGMA read back another value than the one set."""

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
    """A migration failed; its transaction was rolled back, unless it ran outside of one.

    ``was_rolling_back``: it is its rollback that failed.
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
        what = "failed outside a transaction, so that what it had done remains"
        if was_rolling_back:
            what = "could not be taken back, and all is as it was"
        elif rolled_back:
            what = "failed and was rolled back"
        super().__init__(f"{database}: migration {migration} {what}: {reason}")

    def backed_up(self, path: object) -> None:
        """Say so where a migration outside transactions was not undone, too."""
        if self.committed or not self.rolled_back:
            self._backed_up(path)


class DatabaseBusy(DatabaseRefused):
    """Another connection held a lock for longer than this one waited; or a process has a file open that is to go."""

    def __init__(self, *, database: str, doing: str, process: int | None = None) -> None:
        self.database = database
        self.doing = doing
        self.process = process
        if process is None:
            what = f"another connection holds a lock that did not go away while {doing}"
            fix = "try again, or find the process that keeps a transaction open"
        else:
            what, fix = f"process {process} has it open", "stop that process first, or have it close the database"
        super().__init__(f"{database}: {what}. Nothing was changed; {fix}.")


class UnknownMigrationsError(DatabaseRefused):
    """The database holds migrations that this code does not know."""

    def __init__(self, *, database: str, unknown: Sequence[str]) -> None:
        self.database = database
        self.unknown = tuple(unknown)
        super().__init__(
            f"{database}: holds migrations that are not in the migrations folder: {', '.join(self.unknown)}. "
            f"A newer version of the application wrote it, or another branch; run that one, or restore a backup."
        )


class ProofError(MigrateError):
    """A migration did not do in memory what was planned: a fault of this tool, found before anything was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as data: its class and text, the exit status that it stands for, and what it knows beside its text.

    ``problems`` are what is wrong in files; ``committed`` and ``backup`` say what of a run stays, and where what was
    there before is.
    """

    kind: str
    message: str
    exit_code: int
    problems: tuple[Problem, ...] = ()
    committed: tuple[str, ...] = ()
    backup: str | None = None


def failure_of(error: MigrateError) -> Failure:
    """``error`` as data."""
    return Failure(
        kind=type(error).__name__,
        message=str(error),
        exit_code=error.exit_code,
        problems=error.problems if isinstance(error, InputError) else (),
        committed=error.committed,
        backup=error.backup,
    )
