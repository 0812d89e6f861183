"""Errors survive being passed between processes: each class is the same after pickling."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from waiaas_migrate import errors
from waiaas_migrate.errors import Failure, InputError, MigrateError, Problem, failure_of
from waiaas_migrate.runner.backups.restore import RestoreInterrupted
from waiaas_migrate.runner.watching.interruption import Interrupted

PROBLEM = Problem(file="schema.yaml", line=3, column=5, path="tables.a", what="unknown key.", fix="Correct it.")

#: What a class takes that takes more than a text or problems.
ARGUMENTS: dict[str, dict[str, object]] = {
    "PragmaError": {"name": "journal_mode", "wanted": "wal", "found": "delete", "database": "a.db"},
    "ApplyError": {
        "database": "a.db",
        "migration": "0001_a",
        "reason": "no",
        "statement": "SELECT",
        "rolled_back": False,
    },
    "DatabaseBusy": {"database": "a.db", "doing": "reading", "process": 7},
    "UnknownMigrationsError": {"database": "a.db", "unknown": ["0009_x", "0010_y"]},
    "OtherMigrationsError": {"database": "a.db", "migrations": ["0001_a"], "what": "ran another.", "fix": "Stop."},
}


def every_class(kind: type[MigrateError] = MigrateError) -> Iterator[type[MigrateError]]:
    """Return ``kind`` and all its subclasses in the module of errors."""
    if kind.__module__ == errors.__name__:
        yield kind
    for below in kind.__subclasses__():
        yield from every_class(below)


def example(kind: type[MigrateError]) -> MigrateError:
    """Return an error of this class."""
    if issubclass(kind, InputError):
        return kind([PROBLEM, PROBLEM])
    return kind(**ARGUMENTS[kind.__name__]) if kind.__name__ in ARGUMENTS else kind("a.db: Nothing was changed.")


def pickled(error: BaseException, protocol: int = pickle.HIGHEST_PROTOCOL) -> BaseException:
    """Return the error as another process receives it."""
    found: BaseException = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 — of our own making
    return found


def state(error: BaseException) -> tuple[object, ...]:
    """Return everything that the error contains."""
    failure: Failure | None = failure_of(error) if isinstance(error, MigrateError) else None
    return type(error), str(error), error.args, vars(error), failure


@pytest.mark.parametrize("kind", list(every_class()))
@pytest.mark.parametrize(
    "send",
    [copy.copy, copy.deepcopy, pickled, lambda error: pickled(error, 0)],
    ids=["copy", "deepcopy", "pickle", "oldest"],
)
def test_every_error_survives(kind: type[MigrateError], send: Callable[[MigrateError], MigrateError]) -> None:
    """The error's text, attributes and later notes are the same after pickling, and more notes can be added."""
    error = example(kind)
    assert state(send(error)) == state(error)
    error.note_committed(["0001_a"], Path("a.db.bak"), "a.db")
    error.add_note("on the way")
    assert state(send(error)) == state(error)


@pytest.mark.parametrize(
    "error",
    [
        Interrupted("a.db", ["0001_a"], was_rolling_back=True),
        Interrupted("a.db", cause=errors.ApplyError(database="a.db", migration="0002_b", reason="interrupted")),
        RestoreInterrupted(Path("a.db"), None),
    ],
)
def test_every_interruption_survives(error: BaseException) -> None:
    """Interruptions, which have other arguments, are the same after pickling, too."""
    assert state(pickled(error)) == state(error)
