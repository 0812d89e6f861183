"""Print results to stdout and messages to stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import click

from waiaas_migrate.cli.streams import safe

if TYPE_CHECKING:
    from waiaas_migrate.commands.findings import Finding
    from waiaas_migrate.errors import Failure
    from waiaas_migrate.runner.apply import ApplyResult
    from waiaas_migrate.runner.redo import RedoResult
    from waiaas_migrate.runner.rollback import RollbackResult
    from waiaas_migrate.schema.hazards.hazard import Hazard

#: The exit status of a command that has something to report.
FINDINGS = 1
#: The word in summaries for a database that has no pending migrations, but manual changes.
CHANGED_BY_HAND = "changed by hand"

Color = Literal["red", "yellow", "green"]

Verbosity = Literal["quiet", "normal", "verbose"]

#: The choice between ``--quiet``, ``--verbose`` and neither.
_verbosity: ContextVar[Verbosity] = ContextVar("verbosity", default="normal")
#: The original stdout, while :func:`data_only` sends all other output to stderr.
_stdout: ContextVar[TextIO | None] = ContextVar("stdout", default=None)


def say(text: str, *, label: str = "", color: Color | None = None) -> None:
    """Print a result for people: ``label`` in ``color``, then ``text``."""
    _print(text, label=label, color=color, err=False)


def set_verbosity(verbosity: Verbosity) -> None:
    """Choose which messages are printed to stderr."""
    _verbosity.set(verbosity)


def is_verbose() -> bool:
    """Return whether ``--verbose`` was given."""
    return _verbosity.get() == "verbose"


def note(text: str) -> None:
    """Print a message for people to stderr, except with ``--quiet``."""
    if _verbosity.get() != "quiet":
        warn(text)


def warn(text: str) -> None:
    """Print a message for people to stderr, even with ``--quiet``."""
    _print(text, err=True)


def print_error(message: str) -> None:
    """Print an error message to stderr. A message of several lines begins below the label."""
    _print(message if "\n" not in message else f"\n{message}", label="Error:", color="red", err=True)


def _print(text: str, *, label: str = "", color: Color | None = None, err: bool) -> None:
    """Print ``text`` after ``label``; color the label and wrap lines only on a terminal."""
    label = safe(label)
    separator = " " if label and not text.startswith("\n") else ""
    whole = _wrapped(f"{label}{separator}{safe(text)}", sys.stderr if err else sys.stdout)
    if color and not os.environ.get("NO_COLOR"):  # https://no-color.org
        click.secho(label, fg=color, err=err, nl=False)
        whole = whole.removeprefix(label)
    click.echo(whole, err=err)


def _wrapped(text: str, stream: TextIO | None) -> str:
    """Return ``text``, wrapped if ``stream`` is a terminal, with continuation lines indented."""
    if stream is None or not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(
        textwrap.fill(
            line,
            width,
            subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )


def print_document(text: str) -> None:
    """Print a file's text exactly; use UTF-8 if stdout's encoding lacks a character."""
    can_print = _can_encode(sys.stdout, text)
    click.echo(text if can_print else text.encode(errors="surrogateescape"), nl=False)


def print_json(value: object) -> None:
    """Print a result as JSON, in which paths are strings."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=os.fspath)
    if not _can_encode(_stdout.get() or sys.stdout, text):  # a file name may have bytes that are not UTF-8
        text = json.dumps(value, indent=2, default=os.fspath)
    print_data(f"{text}\n")


def print_data(text: str) -> None:
    """Print ``text``, which ends with a line end, for programs."""
    click.echo(text, file=_stdout.get(), nl=False)


def _can_encode(stream: TextIO | None, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def data_only() -> Iterator[None]:
    """Keep stdout for data; send all other output, even that of the project's own code, to stderr."""
    token = _stdout.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _stdout.reset(token)


def print_failure(failure: Failure) -> None:
    """Print an error as JSON."""
    print_json({"error": error_row(failure), "exit_status": failure.exit_code})


def error_row(failure: Failure) -> dict[str, object]:
    """Return an error as a JSON object."""
    return {key: value for key, value in asdict(failure).items() if key != "exit_code"}


def hazard_row(hazard: Hazard) -> dict[str, object]:
    """Return a hazard as a JSON object."""
    row = {key: value for key, value in asdict(hazard).items() if key != "name"}
    return {**row, "destructive": hazard.is_destructive}


def print_findings(findings: Iterable[Finding]) -> None:
    """Print findings grouped by subject, then each fix once."""
    groups: dict[str, list[Finding]] = {}
    fixes: dict[str, list[str]] = {}
    for finding in findings:
        groups.setdefault(finding.subject, []).append(finding)
        if finding.subject not in fixes.setdefault(finding.fix, []):
            fixes[finding.fix].append(finding.subject)
    for subject, group in groups.items():
        say(f"({plural(len(group), 'finding')})", label=subject, color="red")
        for finding in group:
            say(f"  {finding.where}: {finding.what}")
    for fix, subjects in fixes.items():
        if fix:
            say(f"Fix: {fix}" if len(fixes) == 1 else f"Fix for {', '.join(subjects)}: {fix}")


def plural(number: int, noun: str) -> str:
    """Return ``number`` and ``noun``, such as ``1 row`` or ``1,200 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_run(result: ApplyResult | RedoResult | RollbackResult) -> bool:
    """Print what a run did; return whether it applied or rolled back a migration.

    The backup, notices and deleted data go to stderr.
    """
    if result.backup is not None:
        note(f"backup {result.backup}")
    for notice in result.notices:
        note(f"Note: {notice}")
    for loss in getattr(result, "losses", ()):
        warn(f"deleted {loss}")
    done = [f"rolled back {migration}" for migration in getattr(result, "rolled_back", ())]
    done += [f"applied {migration}" for migration in getattr(result, "applied", ())]
    for line in done:
        say(line)
    return bool(done)


def up_to_date_line(manual_changes: Sequence[str]) -> str:
    """Describe a database without pending migrations: up to date, or changed by hand."""
    if not manual_changes:
        return "up to date."
    from waiaas_migrate.runner.proof.differences import listed

    count = plural(len(manual_changes), "manual change")
    return f"{count}: {listed(manual_changes)}. Run `waiaas-migrate drift` for details."


def print_written(written: Iterable[Path], removed: Iterable[Path] = ()) -> None:
    """Print to stderr which files a command wrote, and which leftovers it deleted."""
    for path in removed:
        note(f"deleted {shortened_path(path)}, left by an interrupted run")
    for path in written:
        note(f"wrote {shortened_path(path)}")


def shortened_path(path: Path) -> str:
    """Return ``path`` relative to the current folder if the folder contains it."""
    current = Path.cwd()
    return str(path.relative_to(current)) if path.is_relative_to(current) else str(path)
