"""Run one ADD COLUMN in each of 1,000 files, compared with the best loop of bare sqlite3 over the same files.

    python -m benchmarks.fleet [--rounds N] [--files N] [--folder FOLDER] [--json FILE]

The loop opens each file, adds the column and writes yoyo's rows in one transaction, sets the same PRAGMAs, and closes
it. It runs on one thread and on several; the fastest counts. It verifies nothing, reads no migrations folder and takes
no lock. The toolkit runs as the command does. Files are created in ``--folder``, whose disk matters most.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks._measure import Report, arguments, in_turns, timed
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, chain, manifest_text
from waiaas_migrate.files.migration_dir.migration_files import migration_hash, read_migrations
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.fleet.fleet import apply_to_all
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.pragmas import Pragma

PROMISE = 1.6

_FIRST = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);\n"
_SECOND = "-- depends: 0001_note\nALTER TABLE note ADD COLUMN author TEXT;\n"
_THREADS = (1, 2, 4, 8, 16)
_MODES = ("WAL", "DELETE")


def record(folder: Path, mode: str) -> Path:
    """Write the manifest of ``folder``."""
    migrations = read_migrations(folder)
    with closing(replay(migrations)) as memory:
        head = fingerprint(read_catalog(memory))
    pragmas = tuple(Pragma(name=n, value=v) for n, v in (("journal_mode", mode), ("foreign_keys", "ON")))
    facts = facts_of(migrations, None)
    manifest = Manifest(migrations=chain(migrations, facts), pragmas=pragmas, fingerprint=head)
    (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
    return folder


def prepare(folder: Path, mode: str) -> tuple[Path, Path]:
    """Make a migrations folder with both migrations, and a database that has run the first."""
    migrations = folder / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "0001_note.sql").write_text(_FIRST, encoding="utf-8")
    template = folder / "template.db"
    apply_to(str(template), record(migrations, mode))
    with closing(sqlite3.connect(template)) as connection, connection:
        connection.executemany("INSERT INTO note (body) VALUES (?)", [(f"note {n}",) for n in range(100)])
    (migrations / "0002_author.sql").write_text(_SECOND, encoding="utf-8")
    return record(migrations, mode), template


def fresh(template: Path, folder: Path, files: int) -> list[str]:
    """Make ``files`` copies of ``template`` and sync them to the disk."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = [str(folder / f"{number:05}.db") for number in range(files)]
    for name in names:
        shutil.copyfile(template, name)
    os.sync()
    return names


def by_hand(name: str, *, mode: str, statement: str) -> None:
    """Do the same to one file by hand."""
    with closing(sqlite3.connect(name, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(statement)
        key, now = migration_hash("0002_author"), datetime.now(UTC).isoformat()
        log = (str(uuid.uuid4()), key, "0002_author", "apply", "user", "host", now)
        connection.execute(
            "INSERT INTO _yoyo_log (id, migration_hash, migration_id, operation, username, hostname, created_at_utc) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            log,
        )
        connection.execute("INSERT INTO _yoyo_migration VALUES (?, ?, ?)", (key, "0002_author", now))
        connection.execute("COMMIT")
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("PRAGMA foreign_keys = ON")


def bare(names: list[str], *, threads: int, mode: str) -> None:
    """Loop over all files."""
    work = partial(by_hand, mode=mode, statement="ALTER TABLE note ADD COLUMN author TEXT")
    if threads == 1:
        for name in names:
            work(name)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, names))


def tool(names: list[str], *, migrations: Path) -> None:
    """Run the toolkit."""
    for outcome in apply_to_all(names, migrations):
        if outcome.result is None or outcome.result.applied != ("0002_author",):
            raise RuntimeError(str(outcome))


def measure(report: Report, folder: Path, mode: str, files: int, rounds: int) -> None:
    """Measure one journal mode."""
    migrations, template = prepare(folder / mode, mode)

    def on_fresh_files(call: Callable[[list[str]], None]) -> float:
        names = fresh(template, folder / mode / "fleet", files)
        return timed(lambda: call(names))

    contenders = {f"bare, {n} threads": partial(on_fresh_files, partial(bare, threads=n, mode=mode)) for n in _THREADS}
    contenders["waiaas-migrate"] = partial(on_fresh_files, partial(tool, migrations=migrations))
    seconds = in_turns(contenders, rounds)
    for name, taken in seconds.items():
        report.remark(f"{mode}: {name}: {statistics.median(taken):.2f} s")
    best = min((name for name in seconds if name.startswith("bare")), key=lambda name: statistics.median(seconds[name]))
    one = "bare, 1 threads"
    report.compare(f"{mode}: {files} files, against {best}", seconds, "waiaas-migrate", best, PROMISE)
    report.compare(f"{mode}: {files} files, against one thread", seconds, "waiaas-migrate", one)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--files", type=int, default=1000, help="how many databases")
    parser.add_argument("--folder", type=Path, help="where to create them")
    options = parser.parse_args()
    report = Report(benchmark="fleet")
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        for mode in _MODES:
            measure(report, Path(made), mode, options.files, options.rounds or 3)
    report.write(options.json)


if __name__ == "__main__":
    main()
