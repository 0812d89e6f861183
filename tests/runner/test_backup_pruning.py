"""The names of backups, and which of them a run removes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.backups import DELETING, FAILING, add, make_database, names, old_backups
from tests.support.folders import dump, write_folder
from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.apply import apply_to
from waiaas_migrate.runner.backups.backup import KEPT, back_up, backups_of, is_backup


@pytest.fixture(params=["WAL", "DELETE"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Make a database at head, with rows, in each journal mode: reading beside a writer differs between them."""
    return make_database(tmp_path, request.param)


def test_the_last_three_are_kept(database: Path) -> None:
    """Names sort in the order of the runs, even within a second, and the last three stay."""
    before, made = "0003_age", []
    for number in range(4, 9):
        name = f"{number:04}_x"
        sql = f"-- depends: {before}\nUPDATE parent SET age = {number};\n"
        result = apply_to(str(database), add(database, {f"{name}.sql": sql}))
        assert result.backup is not None
        made.append(result.backup.name)
        before = name
    assert made == sorted(set(made))
    assert names(database) == made[-KEPT:]


def test_repeated_failures_do_not_push_backups_out(database: Path) -> None:
    """A failed run keeps its backup; the next run with the same content adds none."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE parent SET age = 1")
    folder = add(database, FAILING)
    for _ in range(4):
        with pytest.raises(ApplyError):
            apply_to(str(database), folder)
    assert len(names(database)) == 1
    before = dump(database)
    assert dump(backups_of(database)[0].path) == before


@pytest.mark.parametrize("is_alone", [True, False])
def test_a_failure_that_leaves_changes_names_the_backup(database: Path, *, is_alone: bool) -> None:
    """If everything was rolled back, the message does not mention the backup."""
    folder = add(database, {"0004_tidy.sql": DELETING["0004_tidy.sql"]})
    mark = "-- transactional: false\n" if is_alone else ""
    write_folder(folder, {"0005_bad.sql": f"-- depends: 0004_tidy\n{mark}DELETE FROM nowhere;\n"}, record=False)
    with pytest.raises(ApplyError) as caught:
        apply_to(str(database), folder)
    (backup,) = backups_of(database)
    assert (f"A backup from before the run is in {backup.path}." in str(caught.value)) is is_alone


def test_a_failed_run_prunes_too(database: Path) -> None:
    """A run that fails removes surplus backups too."""
    old_backups(database, range(1, 6))
    with pytest.raises(ApplyError):
        apply_to(str(database), add(database, FAILING))
    assert len(names(database)) == KEPT
    assert names(database)[:2] == ["app.db.backup-20200104T000000Z-0003_age", "app.db.backup-20200105T000000Z-0003_age"]


def test_files_of_others_are_not_pruned(database: Path) -> None:
    """Only files with exactly the name of this database's backups are pruned."""
    others = [
        "app.db.backup",
        "app.db.backup-mine",
        "my-app.db.backup-20200101T000000Z",
        "app.db.backup-20201301T000000Z",
    ]
    for name in others:
        (database.parent / name).write_bytes(b"")
    (database.parent / "app.db.backup-20200101T000000Z").mkdir()
    assert names(database) == []
    assert is_backup(Path("app.db.backup-20200101T000000Z-0001_a"))


@pytest.mark.parametrize("ending", ["-keep", ".keep", "_before-the-move", "-2", ".bak"])
def test_a_renamed_backup_is_never_pruned(database: Path, ending: str) -> None:
    """A renamed backup always stays, is still listed, and does not push others out."""
    old_backups(database, range(1, 6))
    mine = database.with_name(f"app.db.backup-20200101T000000Z-0003_age{ending}")
    mine.with_name("app.db.backup-20200101T000000Z-0003_age").rename(mine)
    apply_to(str(database), add(database, DELETING))
    assert mine.exists()
    assert [name for name in names(database)[:3] if "2020" in name] == [
        mine.name,
        "app.db.backup-20200104T000000Z-0003_age",
        "app.db.backup-20200105T000000Z-0003_age",
    ]


def test_an_unreadable_file_is_not_pruned(database: Path) -> None:
    """A file that has a backup's name but is not a database stays."""
    for day in range(1, 6):
        database.with_name(f"app.db.backup-2020010{day}T000000Z-0003_age").write_bytes(b"mine" * day)
    apply_to(str(database), add(database, DELETING))
    assert len(names(database)) == 6


def test_a_wal_beside_a_backup_is_not_a_backup(database: Path) -> None:
    """A WAL that a reader left is not counted, and is removed with its backup."""
    old_backups(database, range(1, 4))
    for ending in ("-wal", "-shm", "-journal"):
        (database.parent / f"app.db.backup-20200101T000000Z-0003_age{ending}").write_bytes(b"")
    assert len(names(database)) == KEPT
    apply_to(str(database), add(database, DELETING))
    assert names(database)[:2] == ["app.db.backup-20200102T000000Z-0003_age", "app.db.backup-20200103T000000Z-0003_age"]
    assert not list(database.parent.glob("*20200101*"))


def test_a_migration_named_like_a_wal(database: Path) -> None:
    """A backup whose head ends in ``-wal`` is listed."""
    made = back_up(database, "0004_drop-wal")
    assert backups_of(database) == (made,)


def test_names_are_safe(tmp_path: Path) -> None:
    """Any name of a database or migration gives a valid file name."""
    path = tmp_path / "a b?#%.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
    made = back_up(path, "0001_ä/../" + "x" * 300)
    assert re.fullmatch(r"a b\?#%\.db\.backup-\d{8}T\d{6}Z-0001_[A-Za-z0-9._-]+", made.path.name)
    assert backups_of(path) == (made,)
