"""After a merge of two branches with a migration each, ``rebase`` puts one branch's migration after the other's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.git import commit_all, git
from tests.support.projects import edit, execute, generated_project, listing, rows, run


def merge(project: Path, branch: str) -> bool:
    """Merge ``branch``; return whether there was no conflict."""
    try:
        git(project, "merge", "--quiet", "--no-edit", branch)
    except subprocess.CalledProcessError:  # a conflict
        return False
    return True


def two_branches(project: Path, mine: dict[str, tuple[str, str]], theirs: dict[str, tuple[str, str]]) -> Path:
    """Return a project with branches ``main`` and ``mine``, which both edited files and generated.

    ``mine`` is checked out.
    """
    generated_project(project)
    (project / ".gitignore").write_text("*.db*\n__pycache__\n", encoding="utf-8")
    commit_all(project)
    git(project, "switch", "--quiet", "--create", "mine")
    change(project, mine)
    commit_all(project)
    git(project, "switch", "--quiet", "main")
    change(project, theirs)
    assert run(project, "apply", "main.db").status == 0
    execute(project / "main.db", "INSERT INTO tasks (title) VALUES ('main')")
    commit_all(project)
    git(project, "switch", "--quiet", "mine")
    return project


def change(project: Path, edits: dict[str, tuple[str, str]]) -> None:
    """Edit the files and generate."""
    for name, (old, new) in edits.items():
        edit(project / name, old, new)
    done = run(project, "generate")
    assert done.status == 0, done


def rebased(project: Path, main_files: dict[str, bytes], *arguments: str) -> str:
    """Run ``rebase``. Check that main's files stay, everything is proved, and databases at main's head follow."""
    done = run(project, "rebase", *arguments)
    assert done.status == 0, done
    for name, data in main_files.items():
        assert (project / "migrations" / name).read_bytes() == data
    for command in (["check"], ["apply", "main.db"], ["drift", "main.db"], ["apply", "new.db"], ["drift", "new.db"]):
        result = run(project, *command)
        assert result.status == 0, (command, result)
    assert rows(project / "main.db", "SELECT title FROM tasks") == [("main",)]
    assert run(project, "generate").out.startswith("Nothing to generate")
    assert run(project, "rebase").out.startswith("Nothing to rebase")
    commit_all(project)
    return done.out + done.err


def files_of(project: Path, branch: str) -> dict[str, bytes]:
    """Return the SQL files of ``branch``."""
    names = git(project, "ls-tree", "--name-only", f"{branch}:migrations").split()
    return {name: git(project, "show", f"{branch}:migrations/{name}").encode() for name in names if ".sql" in name}


MINE = {"kinds.py": ('"done")', '"done", "mine")')}
THEIRS = {"kinds.py": ('"done")', '"done", "theirs")')}
COLUMN = "      title: {type: text, nullable: false}\n"


@pytest.mark.parametrize("is_committed", [False, True], ids=["unfinished", "committed"])
@pytest.mark.parametrize("into", ["mine", "main"])
def test_both_add_a_value_to_one_enum(tmp_path: Path, into: str, *, is_committed: bool) -> None:
    """Databases at the main branch's head get the other value by one edit.

    A developer's own database gets it by ``apply --redo``.
    """
    project = two_branches(tmp_path / "project", MINE, THEIRS)
    main = files_of(project, "main")
    assert run(project, "apply", "own.db").status == 0
    execute(project / "own.db", "INSERT INTO tasks (title, state) VALUES ('own', 'mine')")
    git(project, "switch", "--quiet", into)
    assert not merge(project, "main" if into == "mine" else "mine")
    (project / "kinds.py").write_text('STATES = ("open", "done", "theirs", "mine")\n', encoding="utf-8")
    for command in (["check"], ["generate"]):
        assert "waiaas-migrate rebase" in run(project, *command).err
    if is_committed:
        commit_all(project)
    said = rebased(project, main)
    assert "apply --redo DATABASE" in said
    assert len(listing(project / "migrations")) == 7
    execute(project / "main.db", "INSERT INTO tasks (title, state) VALUES ('a', 'mine'), ('b', 'theirs')")

    refused = run(project, "apply", "own.db")
    assert (refused.status, "apply --redo" in refused.err) == (3, True)
    assert "apply --redo" in run(project, "status", "own.db").out

    redone = run(project, "apply", "--redo", "own.db", "--yes")
    assert redone.status == 3  # a row has the value that the rollback removes
    execute(project / "own.db", "UPDATE tasks SET state = 'done'")
    assert run(project, "apply", "--redo", "own.db", "--yes").status == 0
    assert rows(project / "own.db", "SELECT title FROM tasks") == [("own",)]
    assert run(project, "drift", "own.db").status == 0


def merged(project: Path, **resolved: str) -> None:
    """Merge main into the branch ``mine``, and resolve the conflicts in these files with these texts."""
    assert not merge(project, "main")
    for name, text in resolved.items():
        (project / f"{name}.{'py' if name == 'kinds' else 'yaml'}").write_text(text, encoding="utf-8")


def test_both_add_a_column_to_one_table(tmp_path: Path) -> None:
    """The migration that still works keeps its text and gets the next number."""
    project = two_branches(
        tmp_path / "project",
        {"schema.yaml": (COLUMN, COLUMN + "      mine: text\n")},
        {"schema.yaml": (COLUMN, COLUMN + "      theirs: text\n")},
    )
    main = files_of(project, "main")
    assert run(project, "apply", "own.db").status == 0
    execute(project / "own.db", "INSERT INTO tasks (title, mine) VALUES ('own', 'lost')")
    schema = git(project, "show", "main:schema.yaml").replace("theirs: text\n", "theirs: text\n      mine: text\n")
    merged(project, schema=schema)
    assert "renumbered 0002_add_column_tasks_mine to 0003_add_column_tasks_mine" in rebased(project, main)
    refused = run(project, "apply", "own.db")
    assert (refused.status, "`waiaas-migrate apply --redo`" in refused.err) == (3, True)
    assert run(project, "apply", "--redo", "own.db", "--yes").status == 0
    assert rows(project / "own.db", "SELECT title, mine, theirs FROM tasks") == [("own", None, None)]
    assert run(project, "status", "own.db").status == run(project, "drift", "own.db").status == 0


def test_other_tables(tmp_path: Path) -> None:
    """Both branches' changes are kept; git merges schema.yaml by itself."""
    project = two_branches(
        tmp_path / "project",
        {"schema.yaml": ("      body: text\n", "      body: text\n      mine: text\n")},
        {"schema.yaml": ("pragmas:\n", "pragmas:\n  synchronous: NORMAL\n")} | THEIRS,
    )
    main = files_of(project, "main")
    merged(project)
    rebased(project, main)


def test_a_hand_written_migration_between_two_generated_ones(tmp_path: Path) -> None:
    """The hand-written migration keeps its statements, and its place after the value that it needs."""
    project = two_branches(tmp_path / "project", MINE, THEIRS)
    main = files_of(project, "main")
    assert run(project, "new", "-m", "use it").status == 0
    path = project / "migrations" / "0003_use_it.sql"
    statement = "UPDATE tasks SET state = 'mine' WHERE state = 'done';\n"
    path.write_text(path.read_text(encoding="utf-8") + statement, encoding="utf-8")
    (project / "migrations" / "0003_use_it.rollback.sql").write_text("SELECT 1;\n", encoding="utf-8")
    assert run(project, "record").status == 0
    change(project, {"schema.yaml": ("      body: text\n", "      body: text\n      more: text\n")})
    commit_all(project)
    merged(project, kinds='STATES = ("open", "done", "theirs", "mine")\n')
    execute(project / "main.db", "INSERT INTO tasks (title, state) VALUES ('x', 'done')")
    execute(project / "main.db", "DELETE FROM tasks WHERE title = 'x'")
    said = rebased(project, main)
    moved = next((project / "migrations").glob("*_use_it.sql")).read_text(encoding="utf-8")
    assert moved.endswith(statement)
    assert "renumbered 0003_use_it to 0004_use_it" in said
    old = said.partition("If a database has run the old ")[2].partition(", run ")[0].split(", ")
    assert len(old) == 3
    assert old == sorted(old)


def test_a_python_migration(tmp_path: Path) -> None:
    """A Python migration depends on the new migration that replaces the old one."""
    project = two_branches(tmp_path / "project", MINE, THEIRS)
    main = files_of(project, "main")
    assert run(project, "new", "-m", "py", "--python").status == 0
    assert run(project, "record").status == 0
    commit_all(project)
    merged(project, kinds='STATES = ("open", "done", "theirs", "mine")\n')
    rebased(project, main)
    text = (project / "migrations" / "0004_py.py").read_text(encoding="utf-8")
    assert '__depends__ = {"0003_tasks_state"}' in text


def test_a_hand_written_migration_that_no_longer_works(tmp_path: Path) -> None:
    """The error names a hand-written migration whose column the main branch renamed. Nothing changes."""
    project = two_branches(
        tmp_path / "project",
        {"schema.yaml": ("      title: {", "      mine: text\n      title: {")},
        {"schema.yaml": ("      body: text\n", "      content: {type: text, renamed_from: body}\n")},
    )
    assert run(project, "new", "-m", "fill").status == 0
    for ending in (".sql", ".rollback.sql"):
        with (project / "migrations" / f"0003_fill{ending}").open("a", encoding="utf-8") as file:
            file.write("UPDATE notes SET body = upper(body);\n")
    assert run(project, "record").status == 0
    commit_all(project)
    merged(project)
    before = listing(project / "migrations")
    done = run(project, "rebase")
    assert (done.status, "0003_fill.sql: doesn't work after the main branch's" in done.err) == (2, True), done
    assert "no such column: body" in done.err
    assert listing(project / "migrations") == before


def test_a_hazard_before_a_hand_written_migration(tmp_path: Path) -> None:
    """If ``rebase`` must plan a lossy change again, it stops until ``--allow``, and changes nothing."""
    project = two_branches(tmp_path / "project", MINE, THEIRS)
    edit(project / "kinds.py", '"open", "done", "mine"', '"open", "mine"')
    edit(project / "schema.yaml", "enum: STATES}", "enum: STATES, enum_values: {removed: {done: mine}}}")
    edit(project / "schema.yaml", COLUMN, COLUMN + "      extra: text\n")
    assert run(project, "generate", "--allow", "all").status == 0
    assert run(project, "new", "-m", "use it").status == 0
    statement = "UPDATE tasks SET extra = 'x' WHERE state = 'nothing';\n"
    for ending in (".sql", ".rollback.sql"):
        with (project / "migrations" / f"0004_use_it{ending}").open("a", encoding="utf-8") as file:
            file.write(statement)
    assert run(project, "record").status == 0
    commit_all(project)
    merged(project, kinds='STATES = ("open", "theirs", "mine")\n')
    before = listing(project / "migrations")
    done = run(project, "rebase")
    assert (done.status, "--allow is needed" in done.err) == (1, True), done
    assert listing(project / "migrations") == before
    assert "replaced 0003_" in rebased(project, files_of(project, "main"), "--allow", "remove_enum_value")


def test_without_a_merge_or_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a merge, or without git, the message says what to do."""
    project = generated_project(tmp_path / "project")
    assert (run(project, "rebase").status, "git has no merge here" in run(project, "rebase").err) == (2, True)
    commit_all(project)
    assert (run(project, "rebase").status, "git has no merge here" in run(project, "rebase").err) == (2, True)
    monkeypatch.setenv("PATH", "")
    assert run(project, "rebase").status == 2


def test_files_that_would_be_lost(tmp_path: Path) -> None:
    """A migration that neither branch has stops ``rebase``; so does an unresolved conflict in schema.yaml."""
    project = two_branches(tmp_path / "project", MINE, THEIRS)
    merged(project, kinds='STATES = ("open", "done", "theirs", "mine")\n')
    extra = project / "migrations" / "0009_extra.sql"
    extra.write_text("SELECT 1;\n", encoding="utf-8")
    before = listing(project / "migrations")
    done = run(project, "rebase")
    assert (done.status, "0009_extra.sql: is a migration that neither branch has" in done.err) == (2, True)
    extra.unlink()
    edit(project / "schema.yaml", COLUMN, f"<<<<<<< HEAD\n{COLUMN}=======\n>>>>>>> main\n")
    assert "a merge conflict begins here" in run(project, "rebase").err
    assert listing(project / "migrations") == {k: v for k, v in before.items() if k != "0009_extra.sql"}
