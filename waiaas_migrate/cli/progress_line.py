"""Show the progress of a run in one line on stderr, if stderr is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waiaas_migrate.cli.output import is_verbose, note
from waiaas_migrate.cli.streams import safe
from waiaas_migrate.runner.watching.events import (
    Committed,
    Event,
    Listener,
    MigrationStarted,
    Progress,
    StatementStarted,
)

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

#: A bar needs a terminal of at least this width, in characters.
_WIDTH_FOR_BAR = 100


@contextmanager
def progress_line() -> Iterator[Listener | None]:
    """Yield a listener that shows progress, or None if stderr is not a terminal.

    With ``--verbose``, the listener prints each migration and statement instead.
    """
    if is_verbose():
        yield _print_event
        return
    if sys.stderr is None or not sys.stderr.isatty():  # None in a process without a console
        yield None
        return
    bars: list[Bar] = []

    def show_progress(event: Event) -> None:
        if not isinstance(event, Progress):
            return
        if not bars:  # rich is slow to import, and most runs end before the first event of this kind
            bars.append(_new_bar())
        position = f" {event.statement}/{event.statements}" if event.statements else ""
        bars[0].update(
            bars[0].task_ids[0],
            description=safe(f"{event.migration}{position}: {event.words}"),
            completed=event.done or 0,
            total=event.total,
            count=_count(event),
        )
        bars[0].start()

    try:
        yield show_progress
    finally:
        for bar in bars:
            bar.stop()


def _print_event(event: Event) -> None:
    match event:
        case MigrationStarted(migration=migration, number=number, total=total):
            note(f"{migration} ({number}/{total})")
        case StatementStarted(line=line, number=number, total=total):
            note(f"  {number}/{total} {line}")
        case Committed(migrations=migrations):
            note(f"committed {', '.join(migrations)}")
        case _:
            return


def _new_bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    console = Console(stderr=True)
    # A narrow terminal shortens the description rather than the count.
    description = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False, table_column=description),
        TextColumn("{task.fields[count]}", markup=False, table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
    ]
    if console.width >= _WIDTH_FOR_BAR:
        columns.insert(1, BarColumn(bar_width=20))
    bar = Progress(*columns, console=console, transient=True, expand=True)
    bar.add_task("", total=None, count="")
    return bar


def _count(progress: Progress) -> str:
    if progress.total is None:
        return ""
    if progress.done is None:
        return f"{progress.total:,} {progress.unit}"
    return f"{progress.done:,} of {progress.total:,} {progress.unit}"
