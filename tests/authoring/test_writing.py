"""What ``generate`` leaves alone: recorded history, and every file if the disk or the folder fails."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import CHECKOUT, SCHEMA, edit, generated_project, listing, run, write_project
from tests.support.rights import unprivileged
from waiaas_migrate import open_database
from waiaas_migrate.errors import MigrationsError
from waiaas_migrate.files.migration_dir.write_files import folder_state, write_files
from waiaas_migrate.runner.folder import read_folder

VIEW = "views:\n  open_tasks: SELECT id, title FROM tasks\n"


@pytest.mark.parametrize(
    "harm", ["edited", "deleted", "rollback edited", "manifest damaged", "conflict in the manifest"]
)
def test_history_is_not_rewritten(tmp_path: Path, harm: str) -> None:
    """If recorded migrations were edited or deleted, generate exits with 2 and does not record them again."""
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
    """A change of only the PRAGMAs is recorded in the manifest; no migration is written."""
    generated_project(tmp_path)
    edit(tmp_path / "schema.yaml", "  foreign_keys: ON\n", "  foreign_keys: ON\n  busy_timeout: 700\n")
    done = run(tmp_path, "generate")
    assert (done.status, done.err) == (0, "wrote migrations/manifest.json\n")
    with closing(open_database(tmp_path / "app.db", migrations=tmp_path / "migrations")) as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (700,)


def test_a_migrations_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """If a file has the name of the folder, generate exits with 2 and leaves everything as it was."""
    write_project(tmp_path)
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, "generate", "--migrations", "file/migrations")
    assert (done.status, done.out) == (2, "")
    assert "file/migrations" in done.err
    assert listing(tmp_path) == before


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permissions on Windows")
def test_a_read_only_migrations_folder(shared: Path) -> None:
    """If the migrations folder is read-only, generate exits with 2, and the folder stays as it was."""
    generated_project(shared)
    (shared / "schema.yaml").write_text(SCHEMA + VIEW, encoding="utf-8")
    before = listing(shared)
    (shared / "migrations").chmod(0o555)
    with unprivileged():
        done = run(shared, "generate")
    (shared / "migrations").chmod(0o755)
    assert (done.status, done.out) == (2, "")
    assert "migrations: can't be written to: Permission denied. Nothing was changed." in done.err
    assert listing(shared) == before


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permissions on Windows")
def test_leftovers_that_may_not_be_deleted(shared: Path) -> None:
    """Reading commands ignore files of an interrupted run.

    ``generate`` exits with 2 and reports why it can't delete them.
    """
    generated_project(shared)
    leftover = shared / "migrations" / ".waiaas-0002_x.sql.tmp"
    leftover.touch()
    (shared / "migrations").chmod(0o555)
    with unprivileged():
        checked, done = run(shared, "check"), run(shared, "generate")
    (shared / "migrations").chmod(0o755)
    assert checked.status == 0
    assert (done.status, done.out) == (2, "")
    assert "interrupted command, which can't be deleted: Permission denied. Check" in done.err
    assert leftover.exists()
    assert run(shared, "generate").status == 0
    assert not leftover.exists()


#: Runs what it is given on a disk where no file grows beyond so many bytes.
SMALL_DISK = """
import resource, signal, sys
from pathlib import Path
from waiaas_migrate.cli import main
from waiaas_migrate.errors import MigrateError
from waiaas_migrate.files.migration_dir.write_files import folder_state, write_files
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
    """On a full disk, generate exits with 2 and reports it; no file is half-written."""
    write_project(tmp_path)
    before = listing(tmp_path)
    status, out, err = on_a_small_disk(tmp_path, "sys.exit(main(['generate']))")
    assert (status, out) == (2, "")
    assert "File too large." in err
    assert "Traceback" not in err
    assert listing(tmp_path) in (before, before | {"migrations": "folder"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_no_file_is_written_if_the_second_does_not_fit(tmp_path: Path) -> None:
    """If the second of two files does not fit, neither the first nor a temporary file is left."""
    (tmp_path / "manifest.json").write_text("before", encoding="utf-8")
    before = listing(tmp_path)
    code = """
try:
    write_files(Path("."), {"small.sql": "new", "manifest.json": "x" * 1000}, seen=folder_state(Path(".")))
except MigrateError as error:
    sys.exit(str(error))
"""
    status, _, err = on_a_small_disk(tmp_path, code)
    fix = "Check its permissions, the free space and the disk, then run the command again."
    assert (status, err) == (1, f".: can't be written to: File too large. Nothing was changed. {fix}\n")
    assert listing(tmp_path) == before


def names(folder: Path) -> list[str]:
    """Return the names of everything in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["b.rollback.sql", "b.sql", "manifest.json"])
@pytest.mark.parametrize("kind", ["folder", "full folder", "link to nothing", "file"])
def test_the_name_of_a_new_file_is_taken(tmp_path: Path, name: str, kind: str) -> None:
    """If something has the name of a new file, no file is written and nothing is replaced."""
    path = tmp_path / name
    match kind:
        case "link to nothing":
            path.symlink_to("nowhere")
        case "file":
            path.write_text("a person's", encoding="utf-8")
        case _:
            path.mkdir()
            if kind == "full folder":
                (path / "full").touch()
    is_replaced = name == "manifest.json" and kind in ("link to nothing", "file")
    files = {"b.rollback.sql": "2", "b.sql": "1", "manifest.json": "0"}
    before = names(tmp_path)
    if is_replaced:
        write_files(tmp_path, files, seen=folder_state(tmp_path))
        assert names(tmp_path) == sorted(files)
        return
    with pytest.raises(MigrationsError, match="Nothing was changed"):
        write_files(tmp_path, files, seen=folder_state(tmp_path))
    assert names(tmp_path) == before
    assert path.is_symlink() or path.is_dir() or path.read_text(encoding="utf-8") == "a person's"


def test_a_folder_that_changed_meanwhile(tmp_path: Path) -> None:
    """Texts that were made for another state of the folder are not written."""
    seen = folder_state(tmp_path)
    (tmp_path / "0001_mine.sql").write_text("SELECT 1;\n", encoding="utf-8")
    with pytest.raises(MigrationsError, match=r"changed while this command was running\. Nothing was changed\. Run"):
        write_files(tmp_path, {"0001_theirs.sql": "", "manifest.json": "{}"}, seen=seen)
    assert names(tmp_path) == ["0001_mine.sql"]


def test_generate_twice_at_once(tmp_path: Path) -> None:
    """One ``generate`` writes; the others see its migration, or report that they must run again."""
    write_project(tmp_path)
    command = [sys.executable, "-m", "waiaas_migrate", "generate"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    running = [
        subprocess.Popen([*command, "-m", name], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two", "three", "four")
    ]
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in running]
    assert sum("wrote migrations/0001_" in err for err, _ in ended) == 1
    for err, status in ended:
        assert status == 0 or (status, "Nothing was changed." in err) == (2, True)
    assert run(tmp_path, "check").status == 0
    assert len(names(tmp_path / "migrations")) == 3


def test_reading_while_another_process_writes(tmp_path: Path) -> None:
    """A reader never sees half a migration while migrations are generated."""
    generated_project(tmp_path)
    code = """
import sys
from waiaas_migrate.cli import main
for number in range(25):
    with open("schema.yaml", "a") as file:
        file.write(f"  v{number}: SELECT id FROM tasks\\n")
    if main(["generate"]) != 0:
        sys.exit(1)
"""
    (tmp_path / "schema.yaml").write_text(SCHEMA + VIEW, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", code]
    seen: set[tuple[str, ...]] = set()
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as writing:
        while writing.poll() is None:
            seen.add(read_folder(tmp_path / "migrations").ids)
    assert writing.returncode == 0
    assert len(read_folder(tmp_path / "migrations").ids) == 26
    assert len(seen) > 1


def test_a_folder_that_another_process_writes_to(tmp_path: Path) -> None:
    """Reading commands do not wait for a ``generate`` that is writing, and see the folder as it was before."""
    fcntl = pytest.importorskip("fcntl")
    generated_project(tmp_path)
    journal = tmp_path / "migrations" / ".waiaas-unfinished.json"
    with journal.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = listing(tmp_path)
        assert run(tmp_path, "check").status == 0
        assert run(tmp_path, "apply", "app.db").status == 0
        assert listing(tmp_path / "migrations") == {
            name.removeprefix("migrations/"): text for name, text in before.items() if name.startswith("migrations/")
        }


@pytest.mark.parametrize("name", ["0002 my view", "0002_a\nSELECT 1;--", "0002_a\u2028b", "0002_a\u00a0b", "0002_a\rb"])
def test_a_migration_with_whitespace_in_its_name(tmp_path: Path, name: str) -> None:
    """A new migration does not name such a migration in ``depends``, where it would be read as several names."""
    generated_project(tmp_path)
    try:
        (tmp_path / "migrations" / f"{name}.sql").write_text(
            "CREATE VIEW v AS SELECT id FROM tasks;\n", encoding="utf-8"
        )
    except OSError:
        pytest.skip("this file system has no such names")
    (tmp_path / "schema.yaml").write_text(SCHEMA + VIEW + "  v: SELECT id FROM tasks\n", encoding="utf-8")
    done = run(tmp_path, "generate")
    assert done.status == 0, done.err
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "apply", "app.db").status == 0


def test_a_late_migration_with_whitespace_in_its_name(tmp_path: Path) -> None:
    """If such a migration would run after the new one, which may need it, nothing is written."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / "a b.sql").write_text("CREATE VIEW v AS SELECT id FROM tasks;\n", encoding="utf-8")
    (tmp_path / "schema.yaml").write_text(SCHEMA + VIEW + "  v: SELECT id FROM tasks\n", encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, "generate")
    assert done.status == 2
    assert "migrations/a b.sql: sorts after 0002_add_view_open_tasks and has whitespace in its name" in done.err
    assert listing(tmp_path) == before


def test_files_of_macos(tmp_path: Path) -> None:
    """A ``._*`` file is not a migration: macOS keeps attributes in it."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / "._0002_x.sql").write_bytes(b"\x00\x05\x16\x07\xff")
    for arguments in (["generate"], ["check"], ["apply", "app.db"], ["status", "app.db"]):
        assert run(tmp_path, *arguments).status == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_journal_that_is_a_pipe(tmp_path: Path) -> None:
    """Generate does not wait for the other end of the pipe, and deletes it."""
    generated_project(tmp_path)
    os.mkfifo(tmp_path / "migrations" / ".waiaas-unfinished.json")
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "generate").status == 0
    assert names(tmp_path / "migrations") == ["0001_initial.rollback.sql", "0001_initial.sql", "manifest.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
@pytest.mark.parametrize("command", [["generate"], ["check"], ["apply", "app.db"]])
def test_a_manifest_that_is_a_pipe(tmp_path: Path, command: list[str]) -> None:
    """The manifest is refused; nothing waits for the other end of the pipe."""
    generated_project(tmp_path)
    (tmp_path / "migrations" / "manifest.json").unlink()
    os.mkfifo(tmp_path / "migrations" / "manifest.json")
    done = run(tmp_path, *command)
    assert done.status == 2
    assert "manifest.json: is not a regular file." in done.err
