"""The command line as a whole: wrong arguments, help, colors, and exit statuses."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import click
import pytest

from tests.support.projects import CHECKOUT, execute, generated_project, listing, run, run_process, write_project
from waiaas_migrate import __version__
from waiaas_migrate.cli.main import group, main

COMMANDS = sorted(group.commands)
ON_A_DATABASE = ("apply", "status", "drift", "inspect")

TRACEBACK = "Traceback"
ESCAPE = "\x1b"


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(tmp_path: Path, command: str, option: str) -> None:
    """``-h`` and ``--help`` print the usage to stdout and exit with 0, wherever they stand."""
    done = run(tmp_path, *command.split(), option)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: waiaas-migrate {command}".rstrip())
    assert max(len(line) for line in done.out.splitlines()) <= 100


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    """Every option has a sentence about what it does."""
    silent = [one.name for one in group.commands[command].params if isinstance(one, click.Option) and not one.help]
    assert silent == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(tmp_path: Path, command: str) -> None:
    """The help has an example, on lines of its own."""
    assert f"\n  Example:\n    waiaas-migrate {command}" in run(tmp_path, command, "--help").out


def test_the_group_lists_its_commands_and_exit_statuses(tmp_path: Path) -> None:
    """The group's help names each command and explains each exit status."""
    done = run(tmp_path, "--help")
    assert all(f"\n  {command} " in done.out for command in COMMANDS)
    assert "..." not in done.out.partition("\nCommands:\n")[2]
    said = " ".join(done.out.split())
    assert "0 nothing to report, 1 findings, 2 wrong arguments or broken input, 3 the database" in said


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_only_click(command: str) -> None:
    """``--help`` loads no database, YAML, templates or grammar, and no module of the package outside ``cli``."""
    code = f"import sys; from waiaas_migrate.cli import main; main('{command} --help'.split()); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert f"waiaas-migrate {command}".strip() in done.stdout
    assert "click" in loaded
    assert loaded.isdisjoint({"concurrent.futures", "jinja2", "rich", "sqlite3", "syntaqlite", "yaml", "yoyo"})
    ours = {name for name in loaded if name.startswith("waiaas_migrate.")}
    assert {name for name in ours if not name.startswith("waiaas_migrate.cli")} == {
        *("waiaas_migrate.api", "waiaas_migrate.errors"),
    }


def test_version(tmp_path: Path) -> None:
    """``--version`` gives the version of the package."""
    done = run(tmp_path, "--version")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"waiaas-migrate, version {__version__} (SQLite {sqlite3.sqlite_version}, yoyo ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Commands:"),
        (["nonsense"], "No such command 'nonsense'."),
        (["check", "--nonsense"], "No such option '--nonsense'"),
        (["check", "surplus"], "unexpected extra argument"),
        (["generate", "-m"], "requires an argument"),
        (["inspect", "a.db", "b.db"], "unexpected extra argument"),
        *(([command], "Missing DATABASE. Pass it as an argument") for command in ON_A_DATABASE),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_wrong_arguments(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Wrong arguments exit with 2 and are explained on stderr, with nothing on stdout and nothing written."""
    done = run(generated_project(tmp_path), *arguments)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert TRACEBACK not in done.err


@pytest.mark.parametrize(
    ("arguments", "kind", "status"),
    [
        (["apply", "text.db"], "DatabaseFileError", 2),
        (["apply", "text.db", "--dry-run"], "DatabaseFileError", 2),
        (["apply", "foreign.db"], "DatabaseRefused", 3),
        (["apply", "none*.db"], "UsageError", 2),
        (["apply", os.fsdecode(b"\xff/a.db")], "DatabaseFileError", 2),
        (["status", "none.db"], "DatabaseFileError", 2),
        (["drift", "text.db"], "DatabaseFileError", 2),
        (["restore", "foreign.db"], "DatabaseFileError", 2),
        (["apply", "--nonsense"], "UsageError", 2),
        (["check", "--schema", "nowhere.yaml"], "SchemaFileError", 2),
    ],
    ids=lambda value: " ".join(value).encode("ascii", "replace").decode() if isinstance(value, list) else "",
)
def test_failures_as_json(tmp_path: Path, arguments: list[str], kind: str, status: int) -> None:
    """With ``--json``, stdout is always JSON, and stderr still has the message for people."""
    generated_project(tmp_path)
    (tmp_path / "text.db").write_text("no database\n" * 100, encoding="utf-8")
    execute(tmp_path / "foreign.db", "CREATE TABLE foreign_one (a)")
    done = run_process(tmp_path, *arguments, "--json", PYTHONUTF8="1")
    found = json.loads(done.out)
    assert (done.status, found["exit_status"], found["error"]["kind"]) == (status, status, kind)
    assert found["error"]["message"].encode("utf-8", "backslashreplace").decode() in done.err


@pytest.mark.parametrize("command", ["generate", "check"])
@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--schema", "nowhere.yaml", "no such file."),
        ("--schema", "migrations", "this is a directory, not a file."),
        ("--schema", "", "this is a directory, not a file."),
        ("--migrations", "schema.yaml", "can't be read as a folder of migrations"),
        ("--templates", "nowhere", "no such folder. Check the path."),
        ("--templates", "schema.yaml", "no such folder. Check the path."),
    ],
)
def test_paths_that_are_not_there(tmp_path: Path, command: str, option: str, value: str, said: str) -> None:
    """A path that is missing or of the wrong kind exits with 2; the message says which, and nothing is written."""
    generated_project(tmp_path)
    before = listing(tmp_path)
    done = run(tmp_path, command, option, value)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("Error: ")
    assert said in done.err
    assert listing(tmp_path) == before


def test_the_project_is_found_upward(tmp_path: Path) -> None:
    """In a subfolder of the project, its pyproject.toml is found, and its paths are relative to the project."""
    generated_project(tmp_path)
    (tmp_path / "migrations").rename(tmp_path / "steps")
    (tmp_path / "pyproject.toml").write_text('[tool.waiaas-migrate]\nmigrations = "steps"\n', encoding="utf-8")
    below = tmp_path / "some" / "where"
    below.mkdir(parents=True)
    assert run(below, "check").status == 0


def test_a_broken_pyproject_is_reported(tmp_path: Path) -> None:
    """A pyproject.toml that cannot be used exits with 2 and names the key."""
    generated_project(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.waiaas-migrate]\nmigration = "steps"\n', encoding="utf-8")
    done = run(tmp_path, "check")
    assert (done.status, done.out) == (2, "")
    assert "unknown key `migration`. Did you mean `migrations`?" in done.err


def test_as_a_module(tmp_path: Path) -> None:
    """``python -m waiaas_migrate`` is the same command, with its exit status."""
    write_project(tmp_path)
    done = run_process(tmp_path, "check")
    assert (done.status, done.err) == (1, "")
    assert run_process(tmp_path, "generate").status == 0
    assert run_process(tmp_path, "check").out == "schema.yaml, the enums, and the migrations agree.\n"


def test_no_colors_in_a_pipe(tmp_path: Path) -> None:
    """No color codes are written unless stdout or stderr is a terminal."""
    write_project(tmp_path)
    for arguments in (["check"], ["generate"], ["check"], ["check", "--schema", "nowhere"], ["nonsense"]):
        done = run_process(tmp_path, *arguments, TERM="xterm-256color")
        assert ESCAPE not in done.out + done.err


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.parametrize(("schema", "begins"), [("schema.yaml", "schema"), ("nowhere.yaml", "Error:")])
def test_colors_on_a_terminal(tmp_path: Path, schema: str, begins: str, no_color: str) -> None:
    """On a terminal, findings and errors are red, unless NO_COLOR is set."""
    write_project(tmp_path)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "waiaas_migrate", "check", "--schema", schema]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm-256color", "NO_COLOR": no_color}
    subprocess.run(command, cwd=tmp_path, stdout=theirs, stderr=theirs, check=False, timeout=60, env=environment)
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert shown.startswith(begins if no_color else f"{ESCAPE}[31m{begins}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_stdout_on_a_full_disk(tmp_path: Path) -> None:
    """If the result can't be written to stdout, the command exits with 2 and gives the reason, without a traceback."""
    generated_project(tmp_path)
    with Path("/dev/full").open("w") as full:
        done = run_process(tmp_path, "check", stdout=full)
    assert done.status == 2
    assert done.err == "Error: No space left on device. The work is done, but not all of the output was written.\n"
    assert TRACEBACK not in done.err


def test_a_folder_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a folder that has been deleted, a command exits with 2 and reports that."""
    gone = tmp_path / "gone"
    gone.mkdir()
    with chdir(gone):
        gone.rmdir()
        status = main(["check"])
    assert status == 2
    assert capsys.readouterr().err == "Error: The current folder no longer exists. Change to another folder.\n"


def test_a_schema_is_written_into_folders_that_are_there(tmp_path: Path) -> None:
    """``inspect -o`` creates no folders: it exits with 2 and names the missing one."""
    generated_project(tmp_path)
    assert run(tmp_path, "apply", "app.db").status == 0
    before = listing(tmp_path)
    done = run(tmp_path, "inspect", "app.db", "-o", "new/folder/x.yaml")
    assert (done.status, done.out) == (2, "")
    assert "--output new/folder/x.yaml: the folder new/folder does not exist." in done.err
    done = run(tmp_path, "inspect", "app.db", "-o", "migrations")
    assert (done.status, done.out) == (2, "")
    assert done.err == "Error: --output migrations: is a folder. Give the path of a file.\n"
    assert listing(tmp_path) == before


def test_an_error_that_sqlite_raises_by_itself(tmp_path: Path) -> None:
    """SQLite's error about a URL is printed on one line, with exit status 2."""
    generated_project(tmp_path)
    done = run(tmp_path, "apply", "file:app.db?mode=zz")
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert TRACEBACK not in done.err


@pytest.mark.parametrize("command", ["apply", "rollback", "status"])
def test_help_hides_unused_options(tmp_path: Path, command: str) -> None:
    """An option without effect is hidden but accepted, for scripts that give every command the same paths."""
    generated_project(tmp_path)
    (tmp_path / "own").mkdir()
    assert run(tmp_path, "apply", "app.db").status == 0
    said = run(tmp_path, command, "--help").out
    assert "--migrations" in said
    assert "--schema" not in said
    assert "--templates" not in said
    assert run(tmp_path, command, "app.db", "--schema", "other.yaml", "--templates", "own").status == 0
