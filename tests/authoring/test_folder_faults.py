"""``generate --amend``, ``new``, ``record``, ``rebase`` and ``squash`` with a fault at every file operation: as before, or as after.

Kills only; ``ALL_FAULTS=1`` tries every fault at every operation.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector, Operation, Outcome
from tests.support.git import commit_all, git
from tests.support.projects import SCHEMA, edit, generated_project, listing, run
from waiaas_migrate.files.migration_dir.manifest import read_recorded
from waiaas_migrate.files.migration_dir.write_files import recover

ALL_FAULTS = "ALL_FAULTS" in os.environ
VIEW = "views:\n  open_tasks: SELECT id, title FROM tasks\n"
OTHER_VIEW = "views:\n  open_tasks: SELECT id FROM tasks\n"

#: The command of each scenario.
COMMANDS = {
    "amend": ("generate", "--amend", "-m", "view"),
    "amend under another name": ("generate", "--amend", "-m", "other"),
    "undo": ("generate", "--amend"),
    "new": ("new", "-m", "mine"),
    "new in Python": ("new", "-m", "mine", "--python"),
    "record": ("record",),
    "record deleted files": ("record",),
    "squash": ("squash",),
    "rebase": ("rebase",),
}


def prepare(folder: Path, scenario: str) -> Path:
    """Make a project for a scenario: two migrations, and a change to the second."""
    generated_project(folder)
    if scenario == "rebase":
        return prepare_merge(folder)
    (folder / "schema.yaml").write_text(SCHEMA + VIEW, encoding="utf-8")
    assert run(folder, "generate", "-m", "view").status == 0
    second = folder / "migrations" / "0002_view.sql"
    match scenario:
        case "undo":
            (folder / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
        case "record":
            edit(second, "SELECT id, title", "SELECT id")
        case "squash":
            pass
        case "record deleted files":
            second.unlink()
            second.with_name("0002_view.rollback.sql").unlink()
        case _:
            (folder / "schema.yaml").write_text(SCHEMA + OTHER_VIEW, encoding="utf-8")
    return folder


def prepare_merge(folder: Path) -> Path:
    """Add a value to one enum on two branches under the same name, and merge with the main branch's files."""
    kinds = folder / "kinds.py"
    commit_all(folder)
    for branch, value in (("mine", "mine"), ("main", "theirs")):
        git(folder, "switch", "--quiet", *(["--create"] if branch == "mine" else []), branch)
        edit(kinds, '"done")', f'"done", "{value}")')
        assert run(folder, "generate", "-m", "value").status == 0
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        commit_all(folder)
    git(folder, "switch", "--quiet", "mine")
    git(folder, "merge", "--quiet", "--no-commit", "--strategy-option", "theirs", "main")
    kinds.write_text('STATES = ("open", "done", "theirs", "mine")\n', encoding="utf-8")
    return folder


def seen(folder: Path) -> object:
    """Return everything that a reading command sees in the migrations folder."""
    migrations, _, manifest = read_recorded(folder / "migrations")
    return [(one.id, one.depends, one.sql, one.rollback) for one in migrations], manifest


def faults_at(operation: Operation) -> Iterator[Fault]:
    """The faults to try."""
    if ALL_FAULTS:
        yield from [fault for fault in Fault if fault is not Fault.TORN or operation.kind == "write"]
    else:
        yield Fault.KILL


def assert_sound(folder: Path, done: Outcome, states: tuple[object, object], files: tuple[object, object]) -> None:
    """Check that the folder is as before or as after, and that the message was true.

    Readers must see it so, and a cleanup must keep it so.
    """
    state = seen(folder)
    assert state in states
    is_after = state == states[1]
    assert "Traceback" not in done.err
    match done.status:
        case 0:
            assert is_after
        case 2:
            assert ("was written, but" in done.err) == is_after
        case status:
            assert status in (130, -signal.SIGKILL)
    before = listing(folder)
    assert run(folder, "check").status in (0, 1, 2)
    assert listing(folder) == before
    recover(folder / "migrations")
    assert listing(folder) == files[is_after]


@pytest.mark.parametrize("scenario", COMMANDS)
def test_a_fault_at_every_operation(tmp_path: Path, faults: FaultInjector, scenario: str) -> None:
    """After a kill, interrupt, torn write or failing disk, the folder is as before or as after."""
    base, after = prepare(tmp_path / "base", scenario), tmp_path / "after"
    shutil.copytree(base, after)
    command = COMMANDS[scenario]
    undisturbed = faults.run_tool(*command, below=after / "migrations", cwd=after)
    assert undisturbed.status == 0, undisturbed.err
    states, files = (seen(base), seen(after)), (listing(base), listing(after))
    assert states[0] != states[1]
    assert not [name for name in files[1] if ".waiaas-" in name]
    for operation in undisturbed.operations:
        for fault in faults_at(operation):
            folder = tmp_path / "tried"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(base, folder)
            done = faults.run_tool(*command, below=folder / "migrations", cwd=folder, fault=fault, at=operation.number)
            assert done.status != 0 or fault is not Fault.KILL
            assert_sound(folder, done, states, files)


def test_a_replaced_migration_that_somebody_edits(tmp_path: Path, faults: FaultInjector) -> None:
    """If ``--amend`` was killed, an edit of the new file is neither lost nor taken for the old one."""
    folder = prepare(tmp_path / "p", "amend")
    twin = tmp_path / "twin"
    shutil.copytree(folder, twin)
    done = faults.run_tool(*COMMANDS["amend"], below=twin, cwd=twin)
    at = next(one.number for one in done.operations if one.kind == "rename" and one.path.endswith("manifest.json"))
    killed = faults.run_tool(*COMMANDS["amend"], below=folder, cwd=folder, fault=Fault.KILL, at=at)
    assert killed.status == -signal.SIGKILL
    assert run(folder, "status", "--json", str(tmp_path / "none.db")).status == 2
    edited = folder / "migrations" / "0002_view.sql"
    edit(edited, "-- 0002_view", "-- mine")
    text = edited.read_text(encoding="utf-8")
    done_again = run(folder, *COMMANDS["amend"])
    assert (done_again.status, "0002_view.sql: was edited" in done_again.err) == (2, True)
    assert edited.read_text(encoding="utf-8") == text
