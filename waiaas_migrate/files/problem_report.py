"""Collect the problems in a file, so that one error reports them all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from waiaas_migrate.errors import Problem

#: How many problems of one file to list. Further problems are only counted.
MOST_PROBLEMS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A place in a file: line and column, from 1, and key path (``tables.agents``)."""

    file: str
    line: int | None = None
    column: int | None = None
    path: str = ""

    def problem(self, what: str, fix: str = "") -> Problem:
        """Return a problem at this place."""
        return Problem(file=self.file, line=self.line, column=self.column, path=self.path, what=what, fix=fix)


class Report:
    """The problems found while one file is read."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}

    def add(self, origin: Origin, what: str, fix: str = "") -> None:
        """Add a problem: its place, what is wrong, and how to fix it."""
        self._problems[origin.problem(what, fix)] = None

    def extend(self, problems: Iterable[Problem]) -> None:
        """Add several problems."""
        self._problems.update(dict.fromkeys(problems))

    def problems(self) -> tuple[Problem, ...]:
        """Return the first ``MOST_PROBLEMS`` problems by line, without duplicates; the last one counts any others."""
        ordered = sorted(self._problems, key=lambda problem: (problem.line or 0, problem.column or 0))
        if len(ordered) <= MOST_PROBLEMS:
            return tuple(ordered)
        what = f"{len(ordered) - MOST_PROBLEMS + 1} more problems from here on."
        last = replace(ordered[MOST_PROBLEMS - 1], what=what, fix="Correct those above first.")
        return (*ordered[: MOST_PROBLEMS - 1], last)


def suggestion(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return ``Did you mean …?`` with the most similar known word, or ``otherwise``."""
    folded = {name.casefold(): name for name in reversed(list(known))}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f"Did you mean `{folded[close[0]]}`?" if close else otherwise


def listed(words: Iterable[object]) -> str:
    """Return ``words`` for a message: each in backticks, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)


def shown(text: str, limit: int = 60) -> str:
    """Return ``text`` for a message: on one line, truncated to ``limit`` characters."""
    line = " ".join(text.split())
    line = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in line)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
