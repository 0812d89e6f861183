"""What is shown while a run goes on: one line on stderr, where that is a terminal, and nothing where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waiaas_migrate.cli.streams import safe
from waiaas_migrate.runner.watching.events import Event, Listener, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

#: Columns of a terminal that has room for a bar.
_WIDE = 100


@contextmanager
def shown_progress() -> Iterator[Listener | None]:
    """Yield the listener of a run, which shows its progress; None if nobody would see it."""
    if sys.stderr is None or not sys.stderr.isatty():  # None in a process without a terminal
        yield None
        return
    line = _Line()
    try:
        yield line
    finally:
        line.end()


class _Line:
    """The line. rich is loaded when there is something to show, which is after a second."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __call__(self, progress: Event) -> None:
        if not isinstance(progress, Progress):
            return
        if self._bar is None or self._task is None:
            self._bar = _bar()
            self._task = self._bar.add_task("", total=None, count="")
        self._bar.update(
            self._task,
            description=_said(progress),
            completed=progress.done or 0,
            total=progress.total,
            count=_count(progress),
        )
        self._bar.start()

    def end(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.stop()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    console = Console(stderr=True)
    # Where there is little room, it is the words that are cut short, and not how far the run is.
    words = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False, table_column=words),
        TextColumn("{task.fields[count]}", markup=False, table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
    ]
    if console.width >= _WIDE:
        columns.insert(1, BarColumn(bar_width=20))
    return Progress(*columns, console=console, transient=True, expand=True)


def _said(progress: Progress) -> str:
    place = f" {progress.statement}/{progress.statements}" if progress.statements else ""
    return safe(f"{progress.migration}{place}: {progress.words}")


def _count(progress: Progress) -> str:
    if progress.total is None:
        return ""
    if progress.done is None:
        return f"{progress.total:,} {progress.unit}"
    return f"{progress.done:,} of {progress.total:,} {progress.unit}"
