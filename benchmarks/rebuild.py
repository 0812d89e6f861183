"""Rebuild a table: time, memory, and what survives, compared with bare SQL and with other tools.

The table is ``transactions`` of the shipped schema, with its eight indexes. The change is another default, which
requires a rebuild. Each contender runs in its own process, on a copy of the same file, with the settings of a plain
connection: page cache, ``synchronous`` and ``secure_delete`` (which Debian's SQLite turns on) are the same for all.
The time runs from opening the file to closing it, including the checkpoint of the WAL. Tools that are not installed
(``pip install -e '.[bench]'``) are skipped.
"""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks import _rebuilds
from benchmarks._daemon import daemon_project, edit_column, make_database, migrate
from benchmarks._measure import Report, arguments, in_child, in_turns
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.reading.introspect import introspect

#: The limit of this tool's time divided by that of each contender.
PROMISES = {"bare": 1.05, "alembic": 1.1, "django": 1.0, "sqlite_utils": 1.0}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default %(default)s)")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="run only these contenders and the tool")
    options = parser.parse_args()
    rounds = options.rounds or 3
    report = Report(benchmark="rebuild")
    contenders = [name for name in _rebuilds.CONTENDERS if _is_there(name)]
    if options.only is not None:
        contenders = [name for name in contenders if name in {"tool", *options.only}]
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        project = daemon_project(folder / "project")
        edit_column(project, "status", f"default: {_rebuilds.OLD}", f"default: {_rebuilds.NEW}")
        migrate(project)
        base = make_database(folder / "base.db", options.rows)
        report.remark(f"{options.rows:,} rows, {base.stat().st_size / 1e6:.0f} MB, {rounds} rounds; {_settings(base)}")
        runs = {name: partial(_run, name, base, project.migrations) for name in contenders}
        noted: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
        seconds = in_turns({name: _noting(run, noted[name]) for name, run in runs.items()}, rounds)
        for name in contenders:
            if name != "tool":
                report.compare(f"rebuild: tool / {name}", seconds, "tool", name, PROMISES[name])
        # On a busy machine the elapsed time includes other work; processor time doesn't.
        processor = {name: [figures["processor"] for figures in noted[name]] for name in contenders}
        for name in contenders:
            if name != "tool":
                report.compare(f"rebuild: tool / {name}, processor time", processor, "tool", name)
        few = make_database(folder / "few.db", options.rows // 10)
        peak = _run("tool", few, project.migrations)["peak"]
        most = statistics.median(figures["peak"] for figures in noted["tool"])
        detail = f"{most / 2**20:.1f} MiB against {peak / 2**20:.1f} MiB"
        report.ratio(f"peak memory: {options.rows:,} rows / {options.rows // 10:,} rows", most / peak, 1.1, detail)
        tiny = make_database(folder / "tiny.db", 1_000)
        with closing(replay(read_migrations(project.migrations))) as head:
            wanted = introspect(head)
        _survival(report, contenders, tiny, project.migrations, wanted)
    report.write(options.json)


def _is_there(name: str) -> bool:
    return name not in _rebuilds.PEERS or importlib.util.find_spec(name) is not None


def _settings(database: Path) -> str:
    with closing(connect_file(database)) as connection:
        names = ("journal_mode", "synchronous", "cache_size", "secure_delete")
        return ", ".join(f"{name} {connection.execute(f'PRAGMA {name}').fetchone()[0]}" for name in names)


def _run(name: str, base: Path, migrations: Path) -> dict[str, float]:
    """Run one contender on a copy of ``base``."""
    copy = base.with_name(f"{name}.db")
    shutil.copy(base, copy)
    try:
        return in_child(_rebuilds.__name__, name, copy, migrations, "OFF")
    finally:
        copy.unlink()


def _noting(run: Callable[[], dict[str, float]], noted: list[dict[str, float]]) -> Callable[[], float]:
    def seconds() -> float:
        figures = run()
        noted.append(figures)
        return figures["seconds"]

    return seconds


def _survival(report: Report, contenders: list[str], base: Path, migrations: Path, wanted: Schema) -> None:
    """Report what survives each rebuild on a connection that enforces foreign keys."""
    rows: list[dict[str, str]] = []
    for name in contenders:
        copy = base.with_name(f"{name}.db")
        shutil.copy(base, copy)
        in_child(_rebuilds.__name__, name, copy, migrations, "ON")
        rows.append({"": name, **_rebuilds.survivors(copy, wanted)})
        copy.unlink()
    head = list(rows[0])
    report.table("what survives, foreign keys enforced", head, [[row[key] for key in head] for row in rows])


if __name__ == "__main__":
    main()
