"""Inject faults into the file operations of a real process: kills, interrupts, failing disks and torn writes.

``faults.c`` is compiled once per test run and loaded into a command with LD_PRELOAD. There it counts every operation
that writes below a folder (open for writing, write, rename, link, unlink, fsync, truncate, mkdir, chmod and so on) and
injects one fault at the operation with a given number.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from tests.support.projects import CHECKOUT

_SOURCE = Path(__file__).with_suffix(".c")


class Fault(StrEnum):
    """What happens at an operation. ``TORN`` writes half of the bytes, then kills; a kill comes before the operation.

    An interrupt arrives just before the operation, which still runs: Python handles it afterwards.
    """

    KILL = "kill"
    INTERRUPT = "interrupt"
    TORN = "torn"
    EIO = "EIO"
    ENOSPC = "ENOSPC"
    EACCES = "EACCES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: its number from 1, its kind (``open``, ``write``, ``rename``, ``fsync``, …) and its path."""

    number: int
    kind: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended. ``status`` is negative for a signal; ``operations`` are those it reached."""

    status: int
    out: str
    err: str
    operations: tuple[Operation, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjector:
    """Runs commands with the compiled library."""

    library: Path

    def run(  # noqa: PLR0913 — each is part of the trial
        self,
        command: Sequence[str],
        *,
        below: Path,
        fault: Fault | None = None,
        at: int = 0,
        lasting: bool = False,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run ``command`` and inject ``fault`` at operation number ``at`` of those below the folder ``below``.

        Without a fault, this only counts the operations. A ``lasting`` error stays for the rest of the run, as on a
        full disk: only operations that free space or rename still work. The folder must exist, and all processes that
        the command starts are counted together.
        """
        assert below.is_dir()
        with tempfile.TemporaryDirectory() as folder:
            counter, log = Path(folder, "counter"), Path(folder, "log")
            counter.write_bytes(bytes(8))
            log.touch()
            settings = {
                "LD_PRELOAD": str(self.library),
                "FAULTS_FOLDER": str(below),
                "FAULTS_COUNTER": str(counter),
                "FAULTS_LOG": str(log),
                "FAULTS_AT": str(at if fault is not None else 0),
                "FAULTS_DO": "" if fault is None else fault.value,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": str(CHECKOUT),
            }
            if lasting:
                settings["FAULTS_LASTING"] = "1"
            done = subprocess.run(
                list(command),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                env={**os.environ, **(environment or {}), **settings},
            )
            operations = tuple(_operations(log))
        return Outcome(status=done.returncode, out=done.stdout, err=done.stderr, operations=operations)

    def run_tool(
        self,
        *arguments: str,
        below: Path,
        fault: Fault | None = None,
        at: int = 0,
        lasting: bool = False,
        cwd: Path | None = None,
    ) -> Outcome:
        """Run ``waiaas-migrate`` with ``arguments`` in its own process, as :meth:`run` does."""
        command = [sys.executable, "-m", "waiaas_migrate", *arguments]
        return self.run(command, below=below, fault=fault, at=at, lasting=lasting, cwd=cwd)


def _operations(log: Path) -> Iterator[Operation]:
    for line in log.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        number, kind, path = line.split("\t", 2)
        yield Operation(number=int(number), kind=kind, path=path)


def compile_injector(folder: Path) -> FaultInjector:
    """Compile the library into ``folder``; skip the test without Linux or a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux":
        pytest.skip("injecting faults with LD_PRELOAD requires Linux")
    if compiler is None:
        pytest.skip("injecting faults requires a C compiler (cc)")
    library = folder / "faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    compiled = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if compiled.returncode != 0:
        pytest.skip(f"the library that injects faults does not compile here: {compiled.stderr.strip()[-300:]}")
    return FaultInjector(library=library)
