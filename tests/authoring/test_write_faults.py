"""``generate`` with a fault at every file operation: the folder is as before or as after, and the next run goes on.

One fault per operation here; ``ALL_FAULTS=1`` tries every fault at every operation.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import Fault, FaultInjector, Operation, Outcome
from tests.support.projects import SCHEMA, edit, generated_project, listing, run, write_project
from waiaas_migrate.runner.folder import read_folder

ALL_FAULTS = "ALL_FAULTS" in os.environ
VIEW = "views:\n  open_tasks: SELECT id, title FROM tasks\n"
ERRORS = (Fault.EIO, Fault.ENOSPC, Fault.EACCES)
JOURNAL = ".waiaas-unfinished.json"


def prepare(folder: Path, scenario: str, faults: FaultInjector) -> Path:
    """Make a project in which ``generate`` has something to write."""
    match scenario:
        case "first migration":
            return write_project(folder)
        case "only the manifest":
            generated_project(folder)
            edit(folder / "schema.yaml", "  foreign_keys: ON\n", "  foreign_keys: ON\n  busy_timeout: 700\n")
        case "second migration":
            generated_project(folder)
            (folder / "schema.yaml").write_text(SCHEMA + VIEW, encoding="utf-8")
        case _:
            prepare(folder, "second migration", faults)
            kill_at(faults, folder, "rename", "manifest.json")
    return folder


def generate(
    faults: FaultInjector, folder: Path, fault: Fault | None = None, at: int = 0, *, lasting: bool = False
) -> Outcome:
    """Run ``generate`` in a process of its own, with a fault."""
    return faults.run_tool("generate", below=folder, cwd=folder, fault=fault, at=at, lasting=lasting)


def kill_at(faults: FaultInjector, folder: Path, kind: str, name: str) -> None:
    """Kill ``generate`` just before its first operation of this kind on the file of this name."""
    twin = folder.with_name(folder.name + "-twin")
    shutil.copytree(folder, twin)
    done = generate(faults, twin)
    at = next(one.number for one in done.operations if one.kind == kind and Path(one.path).name == name)
    assert generate(faults, folder, Fault.KILL, at).status == -signal.SIGKILL


def faults_at(operation: Operation) -> Iterator[tuple[Fault, bool]]:
    """Return the faults to try at an operation, and whether each lasts.

    At full scale these are all faults, otherwise one in turn.
    """
    tried = [(fault, False) for fault in Fault if fault is not Fault.TORN or operation.kind == "write"]
    tried += [(fault, True) for fault in ERRORS]
    yield from tried if ALL_FAULTS else [tried[operation.number % len(tried)]]


def recorded(folder: Path) -> list[str]:
    """Return the migrations that both manifest and folder have; none if there is no folder."""
    return list(read_folder(folder / "migrations").ids) if (folder / "migrations" / "manifest.json").exists() else []


def assert_sound(folder: Path, done: Outcome, fault: Fault, before: dict[str, str], after: dict[str, str]) -> None:
    """Check that the folder is as before or as after, and that the message was true.

    The next ``generate`` must finish.
    """
    found = listing(folder)
    is_after = found.get("migrations/manifest.json") == after["migrations/manifest.json"]
    assert is_after or found.get("migrations/manifest.json") == before.get("migrations/manifest.json")
    expected = {name for name in (after if is_after else before) if name.endswith(".sql") and ".rollback" not in name}
    assert {f"migrations/{name}.sql" for name in recorded(folder)} == expected
    assert "Traceback" not in done.err
    match done.status:
        case 0:
            assert is_after
        case 2:
            said = ["Nothing was changed.", "holds files of an interrupted command, which can't be deleted:"]
            assert any(text in done.err for text in said) == (not is_after)
            assert ("was written, but" in done.err) == is_after
        case 130:
            assert (fault, done.err.strip()) == (Fault.INTERRUPT, "Interrupted.")
        case status:
            assert (status, fault in (Fault.KILL, Fault.TORN)) == (-signal.SIGKILL, True)
    checked = run(folder, "check")
    assert checked.status == (0 if is_after else 1), checked.err
    assert listing(folder) == found
    again = run(folder, "generate")
    assert again.status == 0, again.err
    assert listing(folder) == after


@pytest.mark.parametrize("scenario", ["first migration", "second migration", "only the manifest", "recovery"])
def test_a_fault_at_every_operation(tmp_path: Path, faults: FaultInjector, scenario: str) -> None:
    """After any fault, the folder is as before or as after.

    Faults are kills, interrupts, torn writes, I/O errors, a full disk and missing permission.
    """
    base = prepare(tmp_path / "base", scenario, faults)
    before = {name: text for name, text in listing(base).items() if "0002" not in name and ".waiaas-" not in name}
    shutil.copytree(base, tmp_path / "undisturbed")
    undisturbed = generate(faults, tmp_path / "undisturbed")
    assert undisturbed.status == 0, undisturbed.err
    after = listing(tmp_path / "undisturbed")
    assert not [name for name in after if ".waiaas-" in name]
    tried = 0
    for operation in undisturbed.operations:
        for fault, lasting in faults_at(operation):
            folder = tmp_path / "tried"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(base, folder)
            done = generate(faults, folder, fault, operation.number, lasting=lasting)
            assert_sound(folder, done, fault, before, after)
            tried += 1
    print(f"{scenario}: {len(undisturbed.operations)} operations, {tried} faults")  # noqa: T201 — figures for -s
    assert tried >= len(undisturbed.operations) >= 9


@pytest.mark.parametrize("name", ["0002_add_view_open_tasks.sql", "manifest.json"])
def test_an_edited_file_is_kept(tmp_path: Path, faults: FaultInjector, name: str) -> None:
    """A file that somebody edited after the interruption is neither deleted nor ignored."""
    prepare(tmp_path / "p", "second migration", faults)
    kill_at(faults, tmp_path / "p", "rename", "manifest.json")
    edited = tmp_path / "p" / "migrations" / "0002_add_view_open_tasks.sql"
    if name == "manifest.json":
        edit(tmp_path / "p" / "migrations" / name, '_initial"', '_initial", "name": "0002_add_view_open_tasks"')
    else:
        edited.write_text(edited.read_text(encoding="utf-8") + "-- mine\n", encoding="utf-8")
    text = edited.read_text(encoding="utf-8")
    run(tmp_path / "p", "check")
    run(tmp_path / "p", "generate")
    assert edited.read_text(encoding="utf-8") == text


def test_deleting_the_manifest_deletes_no_migration(tmp_path: Path, faults: FaultInjector) -> None:
    """A journal that is left after the commit does not make migrations look unfinished."""
    folder = prepare(tmp_path / "p", "second migration", faults)
    kill_at(faults, folder, "unlink", JOURNAL)
    migrations = listing(folder / "migrations")
    (folder / "migrations" / "manifest.json").unlink()
    done = run(folder, "generate")
    assert (done.status, done.err) == (0, "wrote migrations/manifest.json\n")
    # What the new manifest says of a migration is read from its SQL, and no longer from its plan.
    del migrations[JOURNAL], migrations["manifest.json"]
    assert {**listing(folder / "migrations"), **migrations} == listing(folder / "migrations")


def test_deleted_files_are_reported(tmp_path: Path, faults: FaultInjector) -> None:
    """The next ``generate`` names the migration files that it deleted."""
    folder = prepare(tmp_path / "p", "recovery", faults)
    done = run(folder, "generate", "-m", "other name")
    assert done.status == 0
    said = "deleted migrations/0002_add_view_open_tasks.{}, left by an interrupted run\n"
    assert done.err.startswith(said.format("rollback.sql") + said.format("sql"))
    assert recorded(folder) == ["0001_initial", "0002_other_name"]
