"""Compare and generate with 100 and 1,000 tables: growth in proportion, and times compared with SQLite and other tools.

``generate`` is timed as a library call. It reads schema.yaml, builds it in memory and reads it back, replays the
migrations, and compares the two. If something changed, it also plans, proves and writes the migration. The floor is
the time that SQLite takes to build the two databases in memory. Tools that are not installed
(``pip install -e '.[bench]'``) are skipped. drizzle-kit runs if DRIZZLE is a folder where npm installed ``drizzle-kit``
and ``drizzle-orm``.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import _generates
from benchmarks._measure import Report, arguments, in_child, in_turns

#: A fifth more than proportional: a thousand tables don't fit the caches of the processor.
ROOM = 1.2


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--few", type=int, default=100, help="tables of the small schema (default %(default)s)")
    parser.add_argument("--many", type=int, default=1_000, help="tables of the large schema (default %(default)s)")
    options = parser.parse_args()
    rounds = options.rounds or 5
    report = Report(benchmark="schemas")
    peers = [name for name in ("alembic", "django") if importlib.util.find_spec(name) is not None]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folders = {tables: Path(name, f"tables-{tables}") for tables in (options.few, options.many)}
        for tables, folder in folders.items():
            _generates.prepare(folder, tables, peers=peers)
        report.remark(f"{options.few:,} and {options.many:,} tables, {rounds} rounds")
        factor = options.many / options.few
        for changed in (False, True):
            generating(report, folders, factor, rounds, changed=changed)
        reading(report, folders, factor, rounds)
        for changed in (False, True):
            beside_peers(report, folders[options.many], peers, max(1, rounds // 2), changed=changed)
    report.write(options.json)


def generating(report: Report, folders: dict[int, Path], factor: float, rounds: int, *, changed: bool) -> None:
    """Compare ``generate`` and ``diff`` with few and many tables, and with the floor."""
    what = "one thing changed" if changed else "nothing changed"
    few, many = folders
    runs: dict[str, Callable[[], float]] = {}
    for tables, folder in folders.items():
        runs[f"floor {tables}"] = partial(seconds_of, "floor", folder)
        runs[f"generate {tables}"] = partial(seconds_of, "tool", folder, changed=changed)
        runs[f"diff {tables}"] = partial(seconds_of, "compare", folder, changed=changed)
    seconds = in_turns(runs, rounds)
    for command in ("generate", "diff"):
        name = f"{command}, {what}: {many:,} / {few:,} tables"
        report.compare(name, seconds, f"{command} {many}", f"{command} {few}", factor * ROOM)
        for tables in folders:
            name = f"{command}, {what}: {tables:,} tables / the bare databases"
            report.compare(name, seconds, f"{command} {tables}", f"floor {tables}", 3)


def reading(report: Report, folders: dict[int, Path], factor: float, rounds: int) -> None:
    """Compare ``introspect`` with few and many tables of two indexes each."""
    few, many = folders
    seconds = in_turns({str(n): partial(seconds_of, "introspect", folder) for n, folder in folders.items()}, rounds)
    report.compare(f"introspect: {many:,} / {few:,} tables", seconds, str(many), str(few), factor * ROOM)


def seconds_of(name: str, folder: Path, *, changed: bool = False) -> float:
    """Time a contender in a new process on a fresh copy, so that no cache in memory helps it."""
    copy = _generates.fresh(folder, changed=changed)
    if name == "drizzle":
        _generates.declare(copy, changed=False)
        in_child(_generates.__name__, name, copy)
        _generates.declare(copy, changed=changed)
    return in_child(_generates.__name__, name, copy)["seconds"]


def beside_peers(report: Report, folder: Path, peers: list[str], rounds: int, *, changed: bool) -> None:
    """Compare this tool with each other tool, with many tables."""
    what = "one thing changed" if changed else "nothing changed"
    drizzle = ["tool_command", "drizzle"] if os.environ.get("DRIZZLE") else []
    names = ["tool", *peers, *drizzle]

    seconds = in_turns({name: partial(seconds_of, name, folder, changed=changed) for name in names}, rounds)
    for peer in peers:
        report.compare(f"generate, {what}: tool / {peer}", seconds, "tool", peer, 1)
    if drizzle:
        report.compare(f"generate, {what}: command / drizzle-kit", seconds, "tool_command", "drizzle", 1)


if __name__ == "__main__":
    main()
