"""Kills, failing disks and Ctrl-C at every operation of ``adopt``: the database is as before or as after."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector
from tests.support.folders import FAMILY, write_folder
from tests.support.transitions import is_sound
from waiaas_migrate.runner.adopt import adopt_in
from waiaas_migrate.runner.folder import read_folder

TABLES = """
create table parent(id integer primary key, name text, age integer);
create table child(id integer primary key,parent_id integer references parent(id) on delete cascade);
create index child_parent on child(parent_id);
insert into parent values (1, 'a', 3); insert into child values (1, 1);
"""
#: When things were recorded differs from run to run, and so do yoyo's ids.
_CHANGING = re.compile(r"'\d{4}-\d\d-\d\dT[\d:.]+'|'[0-9a-f]{8}-[0-9a-f-]{27}'")


def content(path: Path) -> list[str]:
    """Return everything in a database, without times; opening it recovers it, as the next user would."""
    with closing(sqlite3.connect(path)) as connection:
        return [_CHANGING.sub("…", line) for line in connection.iterdump()]


@pytest.mark.parametrize(
    ("fault", "mode"),
    [(Fault.KILL, "DELETE"), (Fault.KILL, "WAL"), (Fault.ENOSPC, "DELETE"), (Fault.INTERRUPT, "WAL")],
)
def test_before_or_after(tmp_path: Path, faults: FaultInjector, fault: Fault, mode: str) -> None:
    """No fault leaves half an adoption, and the next one completes it; a failure that it reports changed nothing."""
    folder = write_folder(tmp_path / "m", FAMILY)
    (tmp_path / "old").mkdir()
    with closing(sqlite3.connect(tmp_path / "old" / "app.db")) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.executescript(TABLES)
    below, path = tmp_path / "new", tmp_path / "new" / "app.db"
    arguments = ("adopt", str(path), "--migrations", str(folder))

    def fresh() -> None:
        shutil.rmtree(below, ignore_errors=True)
        shutil.copytree(tmp_path / "old", below)

    fresh()
    before = content(path)
    done = faults.run_tool(*arguments, below=below)
    assert done.status == 0, done.err
    after = content(path)
    assert before != after
    assert any(operation.path.endswith("-migrating") for operation in done.operations)  # others wait
    ends = []
    for operation in done.operations:
        fresh()
        outcome = faults.run_tool(*arguments, below=below, fault=fault, at=operation.number)
        found = content(path)
        assert found in (before, after), operation
        assert is_sound(path)
        assert "Traceback" not in outcome.err
        if outcome.status == 0:
            assert found == after, operation
        elif "Nothing was changed" in outcome.err or "unchanged" in outcome.err:
            assert found == before, operation
        ends.append(found)
        adopt_in(str(path), read_folder(folder))
        assert content(path) == after
    assert before in ends
