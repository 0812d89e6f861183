"""Change an enum of a table that has rows: adding a value takes constant time, removing one takes one scan.

The table is ``transactions`` of the shipped schema, with its eight indexes. The time is that of a whole run
without a backup: connecting, reading the folder, the migration, its proof, yoyo's records, COMMIT, and closing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks._daemon import apply, daemon_project, edit_column, make_database, migrate, set_values
from benchmarks._measure import Report, arguments, clock, in_turns, timed
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.open import close_database
from waiaas_migrate.runner.rollback import roll_back
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.waiaas.enums import POLICY_TIERS, TRANSACTION_STATUSES

#: A value that no row holds, of a column without an index, so that proving it takes a scan of the table.
REMOVED = "NOTIFY"


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large table (default %(default)s)")
    parser.add_argument("--few", type=int, default=1_000, help="rows of the small table (default %(default)s)")
    options = parser.parse_args()
    rounds = options.rounds or 7
    report = Report(benchmark="enum_change")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        small = make_database(folder / "small.db", options.few)
        large = make_database(folder / "large.db", options.rows)
        report.remark(f"{options.few:,} and {options.rows:,} rows, {rounds} rounds")
        added, removed, rebuilt = projects(folder)
        adding(report, {"small": small, "large": large}, (added, rebuilt), rounds)
        removing(report, large, removed, rounds)
    report.write(options.json)


def projects(folder: Path) -> tuple[Project, Project, Project]:
    """Create projects with one more value, with one less, and with a change that requires a rebuild."""
    added = daemon_project(folder / "added")
    set_values(added, "status", "TRANSACTION_STATUSES", [*TRANSACTION_STATUSES, "REFUNDED"])
    removed = daemon_project(folder / "removed")
    set_values(removed, "tier", "POLICY_TIERS", [tier for tier in POLICY_TIERS if tier != REMOVED])
    rebuilt = daemon_project(folder / "rebuilt")
    edit_column(rebuilt, "status", "default: PENDING", "default: QUEUED")
    for project in (added, removed, rebuilt):
        migrate(project)
    return added, removed, rebuilt


def adding(report: Report, databases: dict[str, Path], pair: tuple[Project, Project], rounds: int) -> None:
    """Add a value, which must take the same time for few rows and for many."""
    added, rebuilt = pair
    runs = {name: repeated_apply(database, added) for name, database in databases.items()}
    for run in runs.values():
        run()
    seconds = in_turns(runs, rounds)
    report.compare("add a value: many rows / few rows", seconds, "large", "small", 2)
    copy = databases["large"].with_name("copy.db")
    shutil.copy(databases["large"], copy)
    rebuild = timed(lambda: apply(copy, rebuilt.migrations))
    copy.unlink()
    fastest = min(seconds["large"])
    detail = f"{clock(fastest)} against {clock(rebuild)}"
    report.ratio("add a value: catalog edit / rebuild, many rows", fastest / rebuild, 0.001, detail)


def removing(report: Report, database: Path, project: Project, rounds: int) -> None:
    """Remove a value, which must take no longer than the proof that no row holds it."""
    query = f"SELECT EXISTS (SELECT 1 FROM transactions WHERE tier = '{REMOVED}')"

    def prove() -> float:
        connection = connect_file(database)
        try:
            return timed(lambda: connection.execute(query).fetchall())
        finally:
            connection.close()

    remove = repeated_apply(database, project)
    remove()
    seconds = in_turns({"remove": remove, "prove": prove}, rounds)
    report.compare("remove a value: migration / bare query that proves it", seconds, "remove", "prove", 1.1)


def repeated_apply(database: Path, project: Project) -> Callable[[], float]:
    """Return a function that applies the last migration to ``database``, times that, and rolls it back."""
    folder = read_folder(project.migrations)

    def run() -> float:
        seconds = timed(lambda: apply(database, project.migrations))
        connection = connect_file(database)
        try:
            roll_back(connection, folder)
        finally:
            close_database(connection)
        return seconds

    return run


if __name__ == "__main__":
    main()
