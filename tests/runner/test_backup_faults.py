"""``restore``, and a run with a backup, with a fault at each file operation: no loss, and a true message.

By default a sample of operations is tried. ``WAIAAS_FAULTS=1`` tries each one, which takes many minutes; ``N`` tries
one in N.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector, Outcome
from tests.support.folders import FAMILY, PRAGMAS, write_folder
from tests.support.projects import execute, rows, run
from waiaas_migrate.runner.backups.backup import backups_of
from waiaas_migrate.sqlite.database.pragmas import Pragma

STEP = int(os.environ.get("WAIAAS_FAULTS", "9"))
FAULTS = [*Fault, "full disk"]
MODES = ["WAL", "DELETE"]

TIDY = {
    "0004_tidy.sql": "-- depends: 0003_age\nDELETE FROM parent WHERE name = 'old';\nINSERT INTO parent (name) VALUES ('new');\n",
    "0004_tidy.rollback.sql": "DELETE FROM parent WHERE name = 'new';\nINSERT INTO parent (name) VALUES ('old');\n",
}
NAMES = "SELECT name FROM parent WHERE name IN ('old', 'new')"


NO_LINKS = """
#include <errno.h>
int link(const char *old, const char *new) { errno = EPERM; return -1; }
int linkat(int from, const char *old, int to, const char *new, int flags) { errno = EPERM; return -1; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A command and the content of the database before and after it."""

    command: tuple[str, ...]
    before: str
    after: str


RESTORE = Case(command=("restore", "data/app.db"), before="new", after="old")
APPLY = Case(command=("apply", "data/app.db", "--backup", "always"), before="old", after="new")
ROLLBACK = Case(command=("rollback", "data/app.db", "--backup", "always", "--yes"), before="new", after="old")


def make(folder: Path, mode: str, case: Case) -> Path:
    """Make a project with a database in ``data`` that the command changes."""
    pragmas = (Pragma(name="journal_mode", value=mode), *PRAGMAS[1:])
    (folder / "start").mkdir()
    write_folder(folder / "migrations", FAMILY, pragmas=pragmas)
    assert run(folder, "apply", "start/app.db").status == 0
    fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
    execute(folder / "start/app.db", f"{fill} INSERT INTO parent (name) SELECT printf('%0300d', i) FROM n")
    execute(folder / "start/app.db", "INSERT INTO parent (name) VALUES ('old')")
    write_folder(folder / "migrations", TIDY, pragmas=pragmas)
    if case is not APPLY:
        backup = "always" if case is RESTORE else "never"
        assert run(folder, "apply", "start/app.db", "--backup", backup).status == 0
    return folder


def fresh(folder: Path) -> Path:
    """Reset the folder ``data``; return the database."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    shutil.copytree(folder / "start", folder / "data")
    return folder / "data" / "app.db"


def content(path: Path) -> str:
    """Return which of the two states the database is in; assert that it is undamaged."""
    assert path.stat().st_size, path
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), path
    ((name,),) = rows(path, NAMES)
    assert rows(path, "SELECT count(*) FROM parent") == [(201,)]
    return str(name)


@pytest.fixture(params=["links", "no links"])
def injector(request: pytest.FixtureRequest, faults: FaultInjector, tmp_path: Path) -> FaultInjector:
    """Return an injector, with and without hard links, which vfat and some network mounts lack."""
    if request.param == "links":
        return faults
    source, library = tmp_path / "no_links.c", tmp_path / "no_links.so"
    source.write_text(NO_LINKS, "utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)  # noqa: S607 — found by `faults`
    return FaultInjector(library=Path(f"{library}:{faults.library}"))


def partials(database: Path) -> list[str]:
    """Return the names of partial files."""
    return [path.name for path in database.parent.iterdir() if "partial" in path.name]


def check(case: Case, database: Path, done: Outcome, fault: Fault | str) -> None:
    """Assert that the database is before or after, nothing is lost, and the message says which."""
    state = content(database)
    assert state in (case.before, case.after)
    is_killed = fault in (Fault.KILL, Fault.TORN)
    assert "Traceback" not in done.err
    if done.status == 0:
        assert state == case.after
    for backup in backups_of(database):
        assert content(backup.path) == "old" if case is not ROLLBACK else "new"
    kept = [path for path in database.parent.glob("*.replaced-*") if not path.name.endswith(("-wal", "-shm"))]
    saved = kept if case is RESTORE else [backup.path for backup in backups_of(database)]
    if state == case.after:
        assert case.before in [content(path) for path in saved]
    if is_killed:
        return
    if case is RESTORE:
        said = done.out + done.err
        assert (state == case.after) == ("restored " in said.replace("nothing was restored", "")), said
        assert (state == case.before) == (
            "is unchanged" in said or done.status in (2, 3)
        ) or "But something failed" in said
    failed_at = done.operations[-1].kind if done.operations else ""
    if fault in (Fault.INTERRUPT, Fault.EIO, Fault.ENOSPC) and failed_at != "unlink":
        assert partials(database) == []
        assert state == case.after or not kept or case is not RESTORE


def numbers(done: Outcome, case: Case, fault: Fault | str) -> Sequence[int]:
    """Return the operations to try: all renames and a sample of the rest, or all that concern a backup at full scale."""
    wanted = [one for one in done.operations if case is RESTORE or "backup" in one.path or STEP == 1]
    names = {"unlink", "open"}
    start = FAULTS.index(fault)
    return [
        one.number
        for index, one in enumerate(wanted)
        if (index + start) % STEP == 0
        or one.kind in ("rename", "link")
        or (one.kind in names and (one.number + start) % min(STEP, 3) == 0)
    ]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", [RESTORE, APPLY, ROLLBACK], ids=["restore", "apply", "rollback"])
def test_a_fault_at_each_operation(
    tmp_path: Path, injector: FaultInjector, case: Case, mode: str, fault: Fault | str
) -> None:
    """The database is before or after, both contents exist, and the next run finishes and cleans up."""
    folder = make(tmp_path, mode, case)
    data = fresh(folder).parent
    whole = injector.run_tool(*case.command, below=data, cwd=folder)
    assert whole.status == 0, whole.err
    check(case, data / "app.db", whole, "")
    tried = numbers(whole, case, fault)
    assert tried
    for number in tried:
        database = fresh(folder)
        kind = Fault.ENOSPC if fault == "full disk" else Fault(fault)
        done = injector.run_tool(
            *case.command, below=data, cwd=folder, fault=kind, at=number, lasting=fault == "full disk"
        )
        where = (
            number,
            whole.operations[number - 1],
            done.status,
            done.out,
            done.err,
            sorted(path.name for path in data.iterdir()),
        )
        try:
            check(case, database, done, fault)
            if content(database) == case.before or case is RESTORE:
                again = run(folder, *case.command)
                assert again.status == 0, again.err
                assert partials(database) == []
            assert content(database) == case.after
            assert database.stat().st_nlink == 1
        except AssertionError as error:
            raise AssertionError(where) from error
