"""Print the result for one database in full, or one line for each of several databases and a summary."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from waiaas_migrate.cli.output import error_row, note, plural, print_json, say
from waiaas_migrate.cli.streams import safe
from waiaas_migrate.errors import INTERRUPTED

if TYPE_CHECKING:
    from waiaas_migrate.runner.fleet.fleet import Outcome

ResultT = TypeVar("ResultT")

#: The exit statuses, from the best to the worst.
_SEVERITY = (0, 1, 3, 2, INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Generic[ResultT]):
    """How to print the results of a command.

    Args:
        show: prints the name of a database and its result in full.
        line: returns a result as one line.
        outcome: returns the word that the summary counts the result under, and the exit status.
        row: returns a result as a JSON object.
    """

    show: Callable[[str, ResultT], None]
    line: Callable[[ResultT], str]
    outcome: Callable[[ResultT], tuple[str, int]]
    row: Callable[[ResultT], dict[str, object]]


def print_one(database: str, result: ResultT, report: Report[ResultT], *, as_json: bool) -> int:
    """Print the result of a single database; return the exit status."""
    name = getattr(result, "database", database)
    if as_json:
        print_json({"database": name, **report.row(result)})
    else:
        report.show(name, result)
    return report.outcome(result)[1]


def print_each(outcomes: Iterable[Outcome[ResultT]], report: Report[ResultT], *, as_json: bool) -> int:
    """Print each outcome as it arrives (JSON only at the end) and a summary; return the worst exit status."""
    counts: Counter[str] = Counter()
    rows: list[dict[str, object]] = []
    worst = 0
    try:
        for outcome in outcomes:
            word, status = _word_and_status(outcome, report)
            counts[word] += 1
            worst = max(worst, status, key=_SEVERITY.index)
            if as_json:
                rows.append(_row(outcome, report, word, status))
            else:
                _print_line(outcome, report)
    except KeyboardInterrupt:
        worst = INTERRUPTED
    summary = dict(sorted(counts.items()))
    if as_json:
        print_json({"databases": rows, "summary": summary, "exit_status": worst})
    else:
        parts = ", ".join(f"{number} {word}" for word, number in summary.items())
        note(f"{plural(counts.total(), 'database')}: {parts}.")
    return worst


def _word_and_status(outcome: Outcome[ResultT], report: Report[ResultT]) -> tuple[str, int]:
    if outcome.result is not None:
        return report.outcome(outcome.result)
    if outcome.failure is None:
        return "not begun", 0
    status = outcome.failure.exit_code
    return "interrupted" if status == INTERRUPTED else "failed", status


def _row(outcome: Outcome[ResultT], report: Report[ResultT], word: str, status: int) -> dict[str, object]:
    failure = outcome.failure
    return {
        "database": outcome.database,
        "outcome": word,
        "exit_status": status,
        "seconds": round(outcome.seconds, 3),
        **({} if outcome.result is None else report.row(outcome.result)),
        **({} if failure is None else {"error": error_row(failure)}),
    }


def _print_line(outcome: Outcome[ResultT], report: Report[ResultT]) -> None:
    database = safe(outcome.database).replace("\n", r"\n").replace("\t", r"\t")
    if outcome.result is not None:
        say(f"{database}: {report.line(outcome.result)}")
    elif outcome.failure is not None:
        text = outcome.failure.message.removeprefix(f"{outcome.database}: ")  # the label names the database
        with suppress(ValueError):  # a null character in the name
            text = text.removeprefix(f"{os.path.realpath(outcome.database)}: ")
        say(" ".join(text.split()), label=f"{database}: failed:", color="red")
    else:
        say(f"{database}: not begun.")
