"""Run ``--help`` and ``check`` as whole processes, compared with a Python process that only imports their packages.

    python -m benchmarks.commands [--rounds N] [--json FILE]

``check`` runs on this repository. Bytecode is compiled before, as an installed package has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from benchmarks._measure import CHECKOUT, Report, arguments, in_turns, timed

#: The limit of each command's time divided by that of its floor.
HELP, CHECK = 3.0, 5.0

_CONTENDERS = {
    "--help": ("-m", "waiaas_migrate", "--help"),
    "import click": ("-c", "import click"),
    "check": ("-m", "waiaas_migrate", "check"),
    "import sqlite3, yaml, jinja2": ("-c", "import sqlite3, yaml, jinja2"),
}


def run(words: tuple[str, ...], environment: dict[str, str]) -> None:
    """Run Python with ``words``."""
    subprocess.run((sys.executable, *words), cwd=CHECKOUT, env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Run the benchmark."""
    options = arguments(__doc__).parse_args()
    report = Report(benchmark="commands")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    calls: dict[str, Callable[[], None]] = {
        name: partial(run, words, environment) for name, words in _CONTENDERS.items()
    }
    for call in calls.values():  # writes the bytecode
        call()
    seconds = in_turns({name: partial(timed, call) for name, call in calls.items()}, options.rounds or 15)
    report.compare("--help, against importing click", seconds, "--help", "import click", HELP)
    floor = "import sqlite3, yaml, jinja2"
    report.compare("check, against importing its packages", seconds, "check", floor, CHECK)
    report.write(options.json)


if __name__ == "__main__":
    main()
