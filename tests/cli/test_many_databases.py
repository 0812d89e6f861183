"""Several databases, patterns, and ``apply --dry-run``: output, files, and exit status."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import edit, execute, generated_project, held_by_another_process, listing, rows, run
from waiaas_migrate import Outcome, apply_to_all, estimate_all

COUNT = "SELECT count(*) FROM _yoyo_migration"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project with one migration, and three databases at head in ``data``."""
    generated_project(tmp_path)
    (tmp_path / "data").mkdir()
    done = run(tmp_path, "apply", "data/a.db", "data/b.db", "data/c.db")
    assert (done.status, done.err) == (0, "3 databases: 3 migrated.\n")
    return tmp_path


def add_column(project: Path) -> None:
    """Generate the next migration."""
    edit(project / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(project, "generate").status == 0


def allow_more(project: Path) -> None:
    """Generate a migration that scans: it removes an enum value."""
    edit(project / "kinds.py", '("open", "done")', '("open",)')
    edit(project / "schema.yaml", "enum: STATES}", "enum: STATES, enum_values: {removed: {done: open}}}")
    done = run(project, "generate", "--allow", "all")
    assert done.status == 0, done.err


def test_a_line_for_each_and_a_summary(project: Path) -> None:
    """Each database gets a line on stdout, in the order of the arguments; the summary goes to stderr."""
    add_column(project)
    done = run(project, "apply", "data/c.db", "data/*.db")
    (name,) = [path.stem for path in (project / "migrations").glob("0002*[!k].sql") if "rollback" not in path.name]
    assert done.status == 0
    assert done.out == "".join(f"data/{letter}.db: applied {name}.\n" for letter in "cab")
    assert done.err == "3 databases: 3 migrated.\n"
    again = run(project, "apply", "data/*.db")
    assert (again.status, again.err) == (0, "3 databases: 3 up to date.\n")
    assert again.out == "".join(f"data/{letter}.db: up to date.\n" for letter in "abc")


def test_one_that_fails_does_not_stop_the_others(project: Path) -> None:
    """The exit status is the worst one, the other databases are at head, and the next run finishes the failed one."""
    add_column(project)
    (project / "data" / "b.db").write_text("no database\n" * 100, encoding="utf-8")
    done = run(project, "apply", "data/*.db", "--jobs", "2")
    assert done.status == 2
    assert "data/b.db: failed: is not a SQLite database, or it is encrypted or made by a newer SQLite." in done.out
    assert done.err == "3 databases: 1 failed, 2 migrated.\n"
    (project / "data" / "b.db").unlink()
    again = run(project, "apply", "data/a.db", "data/b.db", "data/c.db")
    assert (again.status, again.err) == (0, "3 databases: 1 migrated, 2 up to date.\n")


def test_a_line_names_its_database_once(project: Path) -> None:
    """The full path at the start of a message is removed, since the line has it already."""
    execute(project / "data" / "b.db", "DELETE FROM _yoyo_migration")
    execute(project / "data" / "b.db", "INSERT INTO _yoyo_migration VALUES ('hash', '0009_x', '2099-01-01')")
    done = run(project, "apply", "data/*.db")
    assert "data/b.db: failed: has applied migrations that are not in the migrations folder: 0009_x." in done.out


def test_an_impossible_name_is_one_failure(project: Path) -> None:
    """A name that no file can have is reported like any other failure."""
    done = run(project, "apply", "a\0b", "", "data/a.db")
    assert (done.status, done.err) == (2, "3 databases: 2 failed, 1 up to date.\n")


def test_stop_on_failure(project: Path) -> None:
    """``--stop-on-failure`` starts no further database after one has failed."""
    add_column(project)
    (project / "data" / "a.db").write_text("no database\n" * 100, encoding="utf-8")
    done = run(project, "apply", "data/*.db", "--jobs", "1", "--stop-on-failure")
    assert done.status == 2
    assert done.out.splitlines()[1:] == ["data/b.db: not begun.", "data/c.db: not begun."]
    assert done.err == "3 databases: 1 failed, 2 not begun.\n"
    assert rows(project / "data" / "b.db", COUNT) == [(1,)]


def test_the_worst_exit_status_counts(project: Path) -> None:
    """A busy database exits with 3; together with a file that is not a database, with 2."""
    add_column(project)
    with held_by_another_process(project / "data" / "a.db"):
        assert run(project, "apply", "data/*.db").status == 3
        (project / "data" / "b.db").write_text("no database\n" * 100, encoding="utf-8")
        assert run(project, "apply", "data/*.db").status == 2


def test_json(project: Path) -> None:
    """``--json`` has a row for each database, the summary, and the exit status."""
    add_column(project)
    (project / "data" / "b.db").write_text("no database\n" * 100, encoding="utf-8")
    done = run(project, "apply", "data/*.db", "--json")
    found = json.loads(done.out)
    assert (done.status, done.err) == (2, "")
    assert (found["summary"], found["exit_status"]) == ({"failed": 1, "migrated": 2}, 2)
    first, second, _ = found["databases"]
    assert (first["database"], first["outcome"], len(first["applied"])) == ("data/a.db", "migrated", 1)
    assert (second["outcome"], second["exit_status"]) == ("failed", 2)
    assert second["error"]["kind"] == "DatabaseFileError"


def test_status_of_many(project: Path) -> None:
    """``status`` prints a line for each database, and exits with 1 if one is behind."""
    add_column(project)
    assert run(project, "apply", "data/a.db").status == 0
    done = run(project, "status", "data/*.db")
    assert (done.status, done.err) == (1, "3 databases: 2 not at head, 1 up to date.\n")
    assert done.out == "data/a.db: up to date.\ndata/b.db: 1 pending.\ndata/c.db: 1 pending.\n"
    found = json.loads(run(project, "status", "data/a.db", "data/b.db", "--json").out)
    assert [row["at_head"] for row in found["databases"]] == [True, False]


def test_drift_of_many(project: Path) -> None:
    """``drift`` prints a line for each database, and exits with 1 if one differs."""
    execute(project / "data" / "b.db", "DROP TABLE notes")
    done = run(project, "drift", "data/*.db")
    assert (done.status, done.err) == (1, "3 databases: 1 with drift, 2 without drift.\n")
    lines = done.out.splitlines()
    assert (lines[0], lines[2]) == ("data/a.db: no drift.", "data/c.db: no drift.")
    assert lines[1].startswith("data/b.db: 1 finding: notes: manual change: dropped table notes.")
    found = json.loads(run(project, "drift", "data/*.db", "--json").out)
    assert [len(row["findings"]) for row in found["databases"]] == [0, 1, 0]


@pytest.mark.parametrize("command", ["apply", "status", "drift"])
def test_a_pattern_that_matches_nothing(project: Path, command: str) -> None:
    """A pattern without matches is an error, and no file is created."""
    before = listing(project)
    done = run(project, command, "data/*.sqlite")
    assert (done.status, done.out) == (2, "")
    assert "data/*.sqlite: no file matches." in done.err
    assert listing(project) == before


def test_a_file_named_like_a_pattern(project: Path) -> None:
    """The name of an existing file is not a pattern; it is printed like a single database."""
    (project / "data" / "a.db").rename(project / "data" / "[abc].db")
    done = run(project, "apply", "data/[abc].db")
    assert (done.status, done.out) == (0, "data/[abc].db: up to date.\n")


def test_a_pattern_leaves_out_other_files(project: Path) -> None:
    """A pattern leaves out WALs, journals, folders, backups and replaced files; each file is taken once."""
    aside = ("a.db.backup-20260101T000000Z-0001_x", "a.db.replaced-20260101T000000Z", "a.db.restore-partial")
    for name in ("a.db-wal", "a.db-shm", "a.db-journal", *aside):
        (project / "data" / name).write_bytes(b"")
    (project / "data" / "folder.db").mkdir()
    (project / "link.db").symlink_to("data/a.db")
    done = run(project, "status", "data/*", "link.db", "data/a.db", "**/*.db")
    assert done.out == "".join(f"data/{letter}.db: up to date.\n" for letter in "abc")


def test_several_names_of_one_file(project: Path) -> None:
    """Each file is taken once, by its first name: SQLite would damage a file used through two hard links."""
    (project / "hard.db").hardlink_to(project / "data" / "a.db")
    names = ("data/a.db", "hard.db", "sqlite:///hard.db", "file:data/a.db", "new.db", "sqlite:///new.db", "./new.db")
    done = run(project, "apply", *names, "", "sqlite:///no?x")
    assert [line.split(": ")[0] for line in done.out.splitlines()] == ["data/a.db", "new.db", "", "sqlite:///no?x"]
    assert done.err == "4 databases: 2 failed, 1 migrated, 1 up to date.\n"


def test_a_pattern_with_one_match(project: Path) -> None:
    """A pattern always gives lines and a summary, so that scripts can rely on it."""
    done = run(project, "status", "data/[a].db")
    assert (done.out, done.err) == ("data/a.db: up to date.\n", "1 database: 1 up to date.\n")


def test_a_broken_migrations_folder(project: Path) -> None:
    """A broken migrations folder is reported once, before any database is started."""
    edit(project / "migrations" / "0001_initial.sql", "title TEXT", "title BLOB")
    done = run(project, "apply", "data/*.db", "new.db")
    assert (done.status, done.out) == (2, "")
    assert done.err.count("was edited") == 1
    assert not (project / "new.db").exists()


def test_transaction_each(project: Path) -> None:
    """With ``--transaction each``, the migrations before the failing one stay applied."""
    add_column(project)
    (project / "migrations" / "manifest.json").unlink()
    sql = "-- depends: 0002_add_notes_author\nINSERT INTO nowhere VALUES (1);\n"
    last = next(path.stem for path in (project / "migrations").glob("0002*.sql") if "rollback" not in path.name)
    (project / "migrations" / "0003_bad.sql").write_text(sql.replace("0002_add_notes_author", last), encoding="utf-8")
    assert run(project, "apply", "data/a.db").status == 3
    assert rows(project / "data" / "a.db", COUNT) == [(1,)]
    assert run(project, "apply", "data/a.db", "--transaction", "each").status == 3
    assert rows(project / "data" / "a.db", COUNT) == [(2,)]


def test_a_file_that_disappears_before_its_turn(project: Path) -> None:
    """A missing file that a pattern found is a failure, not created; a file named directly may be new."""
    code = (
        "from pathlib import Path\nfrom yoyo import step\n__depends__ = {'0001_initial'}\n"
        "step(lambda connection: Path('data/c.db').unlink(missing_ok=True))\n"
    )
    (project / "migrations" / "0002_takes_away.py").write_text(code, encoding="utf-8")
    (project / "migrations" / "manifest.json").unlink()
    done = run(project, "apply", "data/*.db", "data/new.db", "--jobs", "1")
    assert done.status == 2
    said = "data/c.db: failed: the file no longer exists, and was not created again. To create it, pass its path."
    assert said in done.out.splitlines()
    assert done.err == "4 databases: 1 failed, 3 migrated.\n"
    assert {path.name for path in (project / "data").glob("*.db")} == {"a.db", "b.db", "new.db"}


def test_control_characters_in_a_name_are_escaped(project: Path) -> None:
    """A name with control characters is printed escaped on one line; JSON has the name itself."""
    name = "data/two\nlines\x1b[31m.db"
    shutil.copy(project / "data" / "a.db", project / name)
    (project / "data" / "no\ndatabase.db").write_text("no database\n" * 100, encoding="utf-8")
    done = run(project, "status", "data/*.db")
    assert r"data/two\nlines\x1b[31m.db: up to date." in done.out.splitlines()
    assert len(done.out.splitlines()) == 5
    assert r"data/no\ndatabase.db: failed: is not a SQLite database" in done.out
    found = json.loads(run(project, "status", "data/*.db", "--json").out)
    assert name in [row["database"] for row in found["databases"]]


# --- --dry-run --------------------------------------------------------------------------------------------------------


def test_dry_run(project: Path) -> None:
    """``--dry-run`` prints each table with cost, rows and bytes, and writes nothing."""
    values = ", ".join(f"('title {n}', 'done')" for n in range(1000))
    execute(project / "data" / "a.db", f"INSERT INTO tasks (title, state) VALUES {values}")
    allow_more(project)
    before = listing(project)
    done = run(project, "apply", "data/a.db", "--dry-run")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[1].startswith("  tasks [")
    assert "]: 1,000 rows, " in done.out.splitlines()[1]
    assert done.out.splitlines()[2] == "  hazard REMOVE_ENUM_VALUE tasks.state"
    last = done.out.splitlines()[-1]
    assert last.startswith("data/a.db: 1 pending. A backup will be made first. Size ")
    assert last.endswith("free.")
    found = json.loads(run(project, "apply", "data/a.db", "--dry-run", "--json", "--backup", "never").out)
    assert found["backup"] is False
    assert found["bytes"] == (project / "data" / "a.db").stat().st_size
    assert found["free"] > 0
    (sized,) = found["migrations"][0]["tables"]
    assert (sized["table"], sized["rows"]) == ("tasks", 1000)
    assert 0 < sized["bytes"] <= found["bytes"]
    assert listing(project) == before


def test_dry_run_reports_a_lack_of_room(project: Path) -> None:
    """The dry run reports that a backup of a database larger than the free space would not fit."""
    database = project / "data" / "a.db"
    allow_more(project)
    pages = (shutil.disk_usage(project).free + 2**30) // 4096
    with database.open("r+b") as file:
        file.truncate(pages * 4096)  # sparse, and so it takes no room itself
        for at, number in (
            (24, 1),
            (28, pages),
            (92, 1),
        ):  # https://www.sqlite.org/fileformat.html#in_header_database_size
            file.seek(at)
            file.write(number.to_bytes(4, "big"))
    done = run(project, "apply", "data/a.db", "--dry-run", "--backup", "always")
    assert done.status == 0
    assert " pending. A backup will be made first. Size " in done.out
    assert " free. Free up to " in done.out
    assert json.loads(run(project, "apply", "data/a.db", "--dry-run", "--json").out)["is_short_of_room"] is True
    done = run(project, "apply", "data/a.db", "--dry-run", "--backup", "never")
    assert " No backup will be made. Size " in done.out


@pytest.mark.parametrize("run_all", [estimate_all, apply_to_all])
@pytest.mark.parametrize("kind", [str, Path])
def test_only_named_files_may_be_made(
    project: Path, kind: Callable[[Path], str | Path], run_all: Callable[..., Iterable[Outcome[object]]]
) -> None:
    """A missing file that a pattern found is a failure, whether databases are strings or paths."""
    names = [kind(project / "new.db"), str(project / "gone.db")]
    new, gone = run_all(names, project / "migrations", may_make={Path(names[0])})
    assert new.result is not None
    assert gone.failure is not None
    assert (gone.failure.kind, str(names[1]) in gone.failure.message) == ("DatabaseFileError", True)
    assert [(project / name).exists() for name in ("new.db", "gone.db")] == [run_all is apply_to_all, False]


def test_dry_run_of_a_new_database(project: Path) -> None:
    """A new database is not created, and has no size."""
    before = listing(project)
    done = run(project, "apply", "nowhere/new.db", "--dry-run")
    assert done.status == 0
    assert "1 pending. No backup will be made. New file" in done.out
    assert done.out.startswith("0001_initial\n  tasks [constant]\n")
    assert "No backup will be made." in done.out
    assert listing(project) == before


def test_dry_run_at_head(project: Path) -> None:
    """Without pending migrations, the exit status is 0."""
    done = run(project, "apply", "data/a.db", "--dry-run")
    assert (done.status, done.out) == (0, "data/a.db: up to date.\n")


def test_dry_run_of_many(project: Path) -> None:
    """Several databases give one line each."""
    add_column(project)
    assert run(project, "apply", "data/a.db").status == 0
    done = run(project, "apply", "data/*.db", "--dry-run")
    assert done.status == 0
    assert done.out.splitlines()[0] == "data/a.db: up to date."
    assert done.out.splitlines()[1].startswith("data/b.db: 1 pending. ")
    assert done.err == "3 databases: 2 to be migrated, 1 up to date.\n"


def test_dry_run_refuses_what_apply_refuses(project: Path) -> None:
    """``--dry-run`` also exits with 3 for tables without a record of migrations."""
    with closing(sqlite3.connect(project / "old.db")) as connection:
        connection.execute("CREATE TABLE old (a)")
    done = run(project, "apply", "old.db", "--dry-run")
    assert (done.status, done.out) == (3, "")
    assert "holds tables (old) but no record of migrations" in done.err
