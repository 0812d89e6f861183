"""Measure contenders in turns, and compare the ratios of their times with the promised limits.

Timings drift with the load of the machine. So the contenders run one after another within each round, each round gives
one ratio, and the median of these ratios counts. Seconds are printed for information only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: The time of each contender in each round, in seconds.
Seconds = Mapping[str, Sequence[float]]

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One ratio, and the promised limit; None if none was promised."""

    name: str
    ratio: float
    promise: float | None = None
    detail: str = ""

    @property
    def verdict(self) -> str:
        """Whether the promise was kept."""
        if self.promise is None:
            return ""
        return "ok" if self.ratio <= self.promise else "missed"


@dataclass(slots=True, kw_only=True)
class Report:
    """The results of a benchmark, printed as they arrive."""

    benchmark: str
    results: list[Result] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        print(f"{self.benchmark}: SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}", flush=True)

    def ratio(self, name: str, ratio: float, promise: float | None = None, detail: str = "") -> None:
        """Record a ratio and print its line."""
        result = Result(name=name, ratio=ratio, promise=promise, detail=detail)
        self.results.append(result)
        promised = "" if promise is None else f"promise {figure(promise):>8}"
        print(
            f"  {name:<66} ratio {figure(ratio):>8}  {promised:<16}  {result.verdict:<6}  {detail}".rstrip(), flush=True
        )

    def compare(self, name: str, seconds: Seconds, one: str, other: str, promise: float | None = None) -> None:
        """Record the time of ``one`` divided by that of ``other``."""
        detail = f"{clock(statistics.median(seconds[one]))} against {clock(statistics.median(seconds[other]))}"
        self.ratio(name, ratio_of(seconds[one], seconds[other]), promise, detail)

    def remark(self, text: str) -> None:
        """Print a line that is not a ratio."""
        print(f"  {text}", flush=True)

    def table(self, name: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Record a table and print it."""
        self.facts[name] = [dict(zip(head, row, strict=True)) for row in rows]
        widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
        print(f"  {name}:")
        for row in [head, *rows]:
            print("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def write(self, path: Path | None) -> None:
        """Write all results to ``path`` as JSON; do nothing if it is None."""
        if path is None:
            return
        results = [{**asdict(result), "verdict": result.verdict or None} for result in self.results]
        machine = {"sqlite": sqlite3.sqlite_version, "python": platform.python_version(), "cpus": os.cpu_count()}
        document = {"benchmark": self.benchmark, **machine, "results": results, "facts": self.facts}
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to FILE")
    return parser


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that ``call`` takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run ``contenders``, which return their seconds, in turns; each round begins with the next one."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        at = number % len(names)
        for name in [*names[at:], *names[:at]]:
            found[name].append(contenders[name]())
    return found


def ratio_of(one: Iterable[float], other: Iterable[float]) -> float:
    """Return the median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def figure(value: float) -> str:
    """Return a ratio with its significant digits only."""
    if value == 0:
        return "0"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}" if value >= 0.0001 else f"{value:.1e}"


def clock(seconds: float) -> str:
    """Return a time in seconds or milliseconds."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def in_child(module: str, *words: str | os.PathLike[str]) -> dict[str, float]:
    """Run ``module`` in a new process; return the figures that it printed as JSON on its last line.

    Raises:
        RuntimeError: it failed; the message contains its stderr.
    """
    command = [sys.executable, "-m", module, *(os.fspath(word) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def peak_memory() -> int:
    """Return the peak memory of this process in bytes.

    On Linux this reads /proc, because the figure of getrusage starts with the parent's peak.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
