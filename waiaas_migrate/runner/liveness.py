"""Find out whether the process that wrote a partial file or a lock row may still be running."""

from __future__ import annotations

import os
from pathlib import Path

#: Seconds of inaccuracy to allow. Linux reports its boot time in whole seconds, and the start of a process relative to
#: the boot time.
_TOLERANCE = 2.0


def may_be_running(pid: int, since: float | None) -> bool:
    """Return whether the process that had the id ``pid`` at the time ``since`` (Unix seconds) may still be running.

    If a process with this id started after ``since``, it is another process. ``since`` is None if unknown.
    """
    if pid <= 0:
        return False
    if os.name == "nt":  # os.kill(pid, 0) would send Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    started = _start_time(pid)
    return started is None or since is None or started <= since + _TOLERANCE


def _start_time(pid: int) -> float | None:
    """Return the time at which a process started, in Unix seconds; None if the system has no proc(5)."""
    try:
        # The program's name is in parentheses and may contain anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        lines = Path("/proc/stat").read_text(encoding="utf-8").splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None
