"""What ``generate`` leaves alone: recorded history, and everything where a disk or folder fails it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.projects import CHECKOUT, SCHEMA, edit, generated_project, listing, run, write_project
from waiaas_migrate import open_database
from waiaas_migrate.errors import MigrationsError
from waiaas_migrate.files.migration_dir.writing import write_files

VIEW = "views:\n  open_tasks: SELECT id, title FROM tasks\n"


@pytest.mark.parametrize(
    "harm", ["edited", "deleted", "rollback edited", "manifest damaged", "conflict in the manifest"]
)
def test_history_is_not_rewritten(tmp_path: Path, harm: str) -> None:
    """Where recorded migrations were edited or are gone, generate exits with 2 rather than record them anew."""
    generated_project(tmp_path)
    migrations = tmp_path / "migrations"
    match harm:
        case "edited":
            edit(migrations / "0001_initial.sql", "title TEXT", "title BLOB")
        case "deleted":
            (migrations / "0001_initial.sql").unlink()
            (migrations / "0001_initial.rollback.sql").unlink()
        case "rollback edited":
            edit(migrations / "0001_initial.rollback.sql", "DROP TABLE notes;", "")
        case "manifest damaged":
            (migrations / "manifest.json").write_text("{", encoding="utf-8")
        case _:
            (migrations / "manifest.json").write_text("<<<<<<< ours\n=======\n>>>>>>> theirs\n", encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, "generate")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("Error: ")
    assert "migrations/" in done.err
    assert listing(tmp_path) == before


def test_the_pragmas_are_recorded(tmp_path: Path) -> None:
    """A change of the PRAGMAs alone is recorded in the manifest; no migration is written."""
    generated_project(tmp_path)
    edit(tmp_path / "schema.yaml", "  foreign_keys: ON\n", "  foreign_keys: ON\n  busy_timeout: 700\n")
    done = run(tmp_path, "generate")
    assert (done.status, done.err) == (0, "wrote migrations/manifest.json\n")
    with closing(open_database(tmp_path / "app.db", migrations=tmp_path / "migrations")) as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (700,)


def test_a_migrations_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where a file stands in the way of the folder, generate exits with 2 and leaves everything as it was."""
    write_project(tmp_path)
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, "generate", "--migrations", "file/migrations")
    assert (done.status, done.out) == (2, "")
    assert "file/migrations" in done.err
    assert listing(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_migrations_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """A folder without write permission exits with 2, says so, and holds what it held."""
    generated_project(tmp_path)
    (tmp_path / "schema.yaml").write_text(SCHEMA + VIEW, encoding="utf-8")
    before = listing(tmp_path)
    (tmp_path / "migrations").chmod(0o555)
    done = run(tmp_path, "generate")
    (tmp_path / "migrations").chmod(0o755)
    assert (done.status, done.out) == (2, "")
    assert "migrations: cannot be written to: Permission denied." in done.err
    assert listing(tmp_path) == before


#: Runs what it is given on a disk where no file grows beyond so many bytes.
SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from waiaas_migrate.cli import main
from waiaas_migrate.errors import MigrateError
from waiaas_migrate.files.migration_dir.writing import write_files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
"""


def on_a_small_disk(folder: Path, code: str) -> tuple[int, str, str]:
    """Run ``code`` in a process of its own, which cannot write large files."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK + code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_generate_on_a_full_disk(tmp_path: Path) -> None:
    """Where the disk is full, generate exits with 2 and says so, and nothing is half-written."""
    write_project(tmp_path)
    before = listing(tmp_path)
    status, out, err = on_a_small_disk(tmp_path, "sys.exit(main(['generate']))")
    assert (status, out) == (2, "")
    assert "File too large." in err
    assert "Traceback" not in err
    assert listing(tmp_path) in (before, before | {"migrations": "folder"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_the_first_file_goes_with_the_second(tmp_path: Path) -> None:
    """Where the second of two files does not fit, the first is not there either, nor is anything temporary."""
    (tmp_path / "small.sql").write_text("before", encoding="utf-8")
    before = listing(tmp_path)
    code = """
try:
    write_files(Path("."), {"small.sql": "after", "large.sql": "x" * 1000})
except MigrateError as error:
    sys.exit(str(error))
"""
    status, _, err = on_a_small_disk(tmp_path, code)
    assert (status, err) == (1, ".: cannot be written to: File too large. Check the path, its rights and the disk.\n")
    assert listing(tmp_path) == before


def test_files_are_written_all_or_none(tmp_path: Path) -> None:
    """Where the second of two files cannot take its name, no temporary file is left behind."""
    (tmp_path / "b.sql").mkdir()
    (tmp_path / "b.sql" / "full").touch()
    before = listing(tmp_path)
    with pytest.raises(MigrationsError, match="cannot be written to"):
        write_files(tmp_path, {"b.sql": "2", "a.sql": "1"})
    assert listing(tmp_path) == before
