"""Open a database at head, and migrate a new one, compared with the same work in bare sqlite3.

    python -m benchmarks.opening [--rounds N] [--json FILE]

Opening in bare sqlite3 is ``sqlite3.connect``, the seven PRAGMAs of the WAIaaS schema and one query. Migrating is the
same SQL from the same files, with the rows that yoyo writes for each migration, in one transaction.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from benchmarks._measure import Report, arguments, in_turns, timed
from waiaas_migrate import close_database, open_database
from waiaas_migrate.authoring.migration_facts import facts_of
from waiaas_migrate.files.bundled import bundled
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, chain, manifest_text, read_manifest
from waiaas_migrate.files.migration_dir.migration_files import migration_hash, read_migrations
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.runner.yoyo import head
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog

#: The limit of each time divided by that of bare sqlite3.
OPENING = {10: 1.5, 1000: 2.0}
APPLYING = 1.3

_YOYO_TABLES = """
CREATE TABLE _yoyo_log (id VARCHAR(36), migration_hash VARCHAR(64), migration_id VARCHAR(255), operation VARCHAR(10),
    username VARCHAR(255), hostname VARCHAR(255), comment VARCHAR(255), created_at_utc TIMESTAMP, PRIMARY KEY (id));
CREATE TABLE _yoyo_version (version INT NOT NULL PRIMARY KEY, installed_at_utc TIMESTAMP);
CREATE TABLE _yoyo_migration (migration_hash VARCHAR(64), migration_id VARCHAR(255), applied_at_utc TIMESTAMP,
    PRIMARY KEY (migration_hash));
"""


def small_migrations(count: int) -> dict[str, str]:
    """Write migrations that add tables, columns and indexes in turn, each with its rollback file."""
    files: dict[str, str] = {}
    for number in range(count):
        table = number // 4 * 4
        match number % 4:
            case 0:
                sql = f"CREATE TABLE t{table} (id INTEGER PRIMARY KEY, name TEXT NOT NULL, made INTEGER);"
                back = f"DROP TABLE t{table};"
            case 1:
                sql = f"ALTER TABLE t{table} ADD COLUMN note TEXT;"
                back = f"ALTER TABLE t{table} DROP COLUMN note;"
            case 2:
                sql, back = f"CREATE INDEX t{table}_name ON t{table} (name);", f"DROP INDEX t{table}_name;"
            case _:
                sql = f"INSERT INTO t{table} (id, name) VALUES (1, 'first');"
                back = f"DELETE FROM t{table} WHERE id = 1;"
        depends = f"-- depends: {number - 1:04}_change\n" if number else ""
        files[f"{number:04}_change.sql"] = f"{depends}\n{sql}\n"
        files[f"{number:04}_change.rollback.sql"] = f"{back}\n"
    return files


def make_folder(folder: Path, count: int) -> Path:
    """Create a recorded migrations folder with the PRAGMAs of the shipped one."""
    folder.mkdir(parents=True)
    for name, text in small_migrations(count).items():
        (folder / name).write_text(text, encoding="utf-8")
    migrations = read_migrations(folder)
    with closing(replay(migrations)) as memory:
        head = fingerprint(read_catalog(memory))
    manifest = Manifest(migrations=chain(migrations, facts_of(migrations, None)), pragmas=pragmas(), fingerprint=head)
    (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
    return folder


def pragmas() -> tuple:  # type: ignore[type-arg]
    """Return the PRAGMAs of the shipped schema."""
    shipped = read_manifest(bundled("migrations"))
    return shipped.pragmas if shipped is not None else ()


def open_by_hand(path: Path) -> sqlite3.Connection:
    """Connect, set the PRAGMAs, and run one query."""
    connection = sqlite3.connect(path)
    for name, value in SETTINGS:
        connection.execute(f"PRAGMA {name} = {value}")
    connection.execute("SELECT migration_hash FROM _yoyo_migration").fetchall()
    return connection


def apply_by_hand(path: Path, folder: Path) -> None:
    """Run the same files and write the same rows in one transaction."""
    connection = sqlite3.connect(path, isolation_level=None)
    for name, value in SETTINGS:
        connection.execute(f"PRAGMA {name} = {value}")
    connection.execute("BEGIN IMMEDIATE")
    for statement in _YOYO_TABLES.split(";")[:-1]:
        connection.execute(statement)
    for file in sorted(folder.glob("*.sql")):
        if file.name.endswith(".rollback.sql"):
            continue
        for statement in split(file.read_text(encoding="utf-8")):
            connection.execute(statement)
        now, key = datetime.now(UTC).isoformat(), migration_hash(file.stem)
        row = (str(uuid.uuid4()), key, file.stem, "apply", "user", "host", now)
        connection.execute("INSERT INTO _yoyo_log VALUES (?, ?, ?, ?, ?, ?, NULL, ?)", row)
        connection.execute("INSERT INTO _yoyo_migration VALUES (?, ?, ?)", (key, file.stem, now))
    connection.execute("COMMIT")
    connection.close()


def split(sql: str) -> list[str]:
    """Split the SQL of the migrations above, which have no semicolons inside a statement."""
    return [statement for statement in sql.split(";") if statement.strip()]


def timed_open(call: Callable[[], sqlite3.Connection]) -> float:
    """Return the seconds until the connection is open; closing it does not count."""
    start = time.perf_counter()
    connection = call()
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def measure_opening(report: Report, folder: Path, count: int, rounds: int) -> None:
    """Open a database at head repeatedly in one process, and once before the manifest is read."""
    path = folder.parent / f"{count}.db"
    close_database(open_database(path, migrations=folder))
    time.sleep(1.1)  # a manifest that was written just now is read again each time

    def first() -> sqlite3.Connection:
        head._read_cached.cache_clear()
        return open_database(path, migrations=folder)

    seconds = in_turns(
        {
            "hand": lambda: timed_open(lambda: open_by_hand(path)),
            "open": lambda: timed_open(lambda: open_database(path, migrations=folder)),
            "first": lambda: timed_open(first),
        },
        rounds,
    )
    report.compare(f"open at head, {count:,} migrations", seconds, "open", "hand", OPENING[count])
    name = f"open at head, {count:,} migrations, manifest not read yet"
    report.compare(name, seconds, "first", "hand", OPENING[count])


def measure_applying(report: Report, folder: Path, rounds: int) -> None:
    """Migrate a new file each time."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        numbers = iter(range(1_000_000))

        def new() -> Path:
            return Path(place) / f"{next(numbers)}.db"

        def ours() -> None:
            open_database(new(), migrations=folder).close()

        seconds = in_turns(
            {"hand": lambda: timed(lambda: apply_by_hand(new(), folder)), "apply": lambda: timed(ours)}, rounds
        )
    report.compare("apply 1,000 small migrations to a new file", seconds, "apply", "hand", APPLYING)
    report.remark(f"{statistics.median(seconds['apply']):.3f} s for 1,000 migrations")


SETTINGS = tuple((pragma.name, pragma.value) for pragma in pragmas())


def main(words: list[str] | None = None) -> int:
    """Run the benchmark."""
    chosen = arguments(__doc__).parse_args(words)
    report = Report(benchmark="opening")
    with tempfile.TemporaryDirectory() as place:
        for count in OPENING:
            folder = make_folder(Path(place) / str(count) / "migrations", count)
            measure_opening(report, folder, count, (chosen.rounds or 20) * (10 if count < 100 else 3))
        measure_applying(report, folder, chosen.rounds or 10)
    report.write(chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
