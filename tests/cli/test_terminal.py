"""Output on a terminal of 80 columns, compared with the text files in ``tests/cli/terminal``.

After a change, write them again with ``python -m tests.cli.test_terminal`` and review the difference.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.projects import edit, execute, generated_project, write_project
from waiaas_migrate.cli.main import group, main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="paths and SQLite's own messages differ elsewhere")

FOLDER = Path(__file__).parent / "terminal"
COLUMNS = 80

#: Each file with the command lines that it holds the output of; a line without ``waiaas-migrate`` prepares the project.
SCENES: dict[str, tuple[str, ...]] = {
    **{f"help-{name}": (f"{name} --help",) for name in group.commands},
    "help": ("--help",),
    "generate": ("generate", "apply app.db", "status app.db", "generate"),
    "generate-refused": ("new", "drop", "generate", "generate --allow drop_column --allow remove_enum_value"),
    "amend": (
        *("new", "view", "generate -m view", "apply app.db", "other-view", "generate --amend -m view", "status app.db"),
        *("apply --redo app.db", "apply --redo app.db", "generate --amend -m view", "no-view", "generate --amend"),
    ),
    "record": ("new", "new -m view", "check", "by-hand-view", "record", "generate --amend", "edit-view", "generate", "record"),
    "squash": ("new", "view", "generate -m view", "apply app.db", "squash", "apply app.db"),
    "check": ("new", "check", "drop", "pragma", "check"),
    "lint": ("new", "weak", "lint", "lint --severity error"),
    "status": ("new", "apply app.db", "drop", "generate --allow all", "status app.db", "status *.db"),
    "drift": ("new", "apply app.db", "drift app.db", "by-hand", "drift app.db", "drift *.db"),
    "drift-not-adopted": ("new", "by-hand", "drift app.db", "apply app.db"),
    "apply": ("new", "apply app.db", "drop", "generate --allow all", "apply app.db --dry-run", "apply app.db", "apply app.db"),
    "apply-refused": ("new", "apply app.db", "row", "drop", "generate --allow all", "apply app.db", "edit", "apply app.db"),
    "apply-to-many": ("new", "apply a.db b.db c.db", "drop", "generate --allow all", "break", "apply *.db", "status *.db"),
    "rollback": ("new", "apply app.db", "rollback app.db", "rollback app.db", "rollback app.db --count 1 --to x"),
    "rollback-loses": ("new", "apply app.db", "row", "rollback app.db", "rollback app.db --yes"),
    "drift-hotfix": ("new", "apply app.db", "by-hand", "drift app.db --as-migration hotfix", "drift app.db"),
    "restore": ("new", "apply app.db", "restore app.db --list", "rollback app.db", "restore app.db --list", "restore app.db"),
    "diff": ("new", "apply app.db", "drop", "diff app.db schema.yaml", "diff migrations app.db"),
    "errors": (
        *("new", "status missing.db", "apply migrations", "check --schema missing.yaml", "generate --allow everything"),
        *("nonsense", "apply", "typos", "check"),
    ),
}  # fmt: skip

#: Changes of a project's files, by step.
EDITS = {
    "drop": [
        ("schema.yaml", "      body: text\n", "      author: {type: text, unique: true}\n"),
        ("kinds.py", '"open", "done"', '"open", "late"'),
    ],
    "pragma": [("schema.yaml", "foreign_keys: ON", "foreign_keys: ON\n  synchronous: FULL")],
    "view": [("schema.yaml", "tables:\n", "views:\n  v: SELECT id FROM tasks\ntables:\n")],
    "other-view": [("schema.yaml", "v: SELECT id FROM", "v: SELECT title FROM")],
    "weak": [("schema.yaml", "      body: text\n", "      kind: {type: strin, default: todo}\n      order: integer\n")],
    "no-view": [("schema.yaml", "views:\n  v: SELECT title FROM tasks\n", "")],
    "by-hand-view": [
        ("schema.yaml", "tables:\n", "views:\n  v: SELECT id FROM tasks\ntables:\n"),
        ("migrations/0002_view.sql", "-- Write", "CREATE VIEW v AS SELECT id FROM tasks;\n-- Write"),
    ],
    "edit-view": [("migrations/0002_view.sql", "id FROM", "title FROM")],
    "edit": [("migrations/0001_initial.sql", "title TEXT", "title BLOB")],
    "typos": [
        ("schema.yaml", "nullable: false, default", "nulable: false, default"),
        ("schema.yaml", "enum: STATES", "enum: STATUS"),
    ],
}
#: Changes of ``app.db`` by hand, by step.
STATEMENTS = {
    "by-hand": ["CREATE TABLE by_hand (a)", "DROP INDEX IF EXISTS idx_tasks_state"],
    "row": ["INSERT INTO tasks (title, state) VALUES ('one', 'done')"],
}


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Return True, so that lines are wrapped."""
        return True


def prepare(step: str) -> bool:
    """Change the project in the current folder, if ``step`` is not a command."""
    if step == "new":
        generated_project(Path())
    elif step in EDITS:
        for file, old, new in EDITS[step]:
            edit(Path(file), old, new)
    elif step in STATEMENTS:
        execute(Path("app.db"), *STATEMENTS[step])
    elif step == "break":
        Path("b.db").write_text("not a database\n" * 100, encoding="utf-8")
    else:
        return False
    return True


def scene(name: str) -> str:
    """Return the output of one scene, with everything that varies between runs replaced."""
    # Lines are wrapped after the folder's name, which therefore must always have the same length.
    with TemporaryDirectory(dir="/tmp") as folder, chdir(folder), environment():
        write_project(Path())
        text = "".join(shown(step) for step in SCENES[name] if not prepare(step))
    text = text.replace(f"{folder}{os.sep}", "")
    text = re.sub(r"Size .*? free\.", "Size N kB; needs up to N kB more; N GB free.", text, flags=re.DOTALL)
    text = re.sub(r"\.backup-\w+-", ".backup-TIME-", text)
    text = re.sub(r"\.replaced-\w+", ".replaced-TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", text)
    return re.sub(r"[\d.]+\s+[kMGT]?B\b", "N kB", text)


def shown(line: str) -> str:
    """Return one command line as typed, and its output on a terminal."""
    both = Terminal()
    with redirect_stdout(both), redirect_stderr(both):
        status = main(line.split())
    return f"$ waiaas-migrate {line}\n{both.getvalue()}[exit status {status}]\n\n"


@contextmanager
def environment() -> Iterator[None]:
    """A terminal of 80 columns without colors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(COLUMNS))
        patch.setenv("NO_COLOR", "1")
        yield


@pytest.mark.parametrize("name", SCENES)
def test_terminal(name: str) -> None:
    """The output equals its file.

    No line is wider than the terminal, except a single long word or a line with replaced sizes.
    """
    text = scene(name)
    assert text == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    wide = [
        line
        for line in text.splitlines()
        if len(line) > COLUMNS and " " in line.strip() and line[0] != "$" and " free." not in line
    ]
    assert wide == []


def test_no_file_is_left_over() -> None:
    """Each file belongs to a scene."""
    assert {file.stem for file in FOLDER.iterdir()} == set(SCENES)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for each in SCENES:
        (FOLDER / f"{each}.txt").write_text(scene(each), encoding="utf-8")
