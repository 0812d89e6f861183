"""``-o FILE`` means the same for every command that writes a document."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import edit, execute, run

COMMANDS = (
    ("inspect", "app.db"),
    ("json-schema",),
    ("diagram", "--format", "mermaid"),
    ("models",),
    ("enums", "--python"),
)
#: Commands that replace only what they wrote: they write the same file again and again.
GENERATORS = COMMANDS[2:]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project with a database."""
    folder = tmp_path_factory.mktemp("p")
    assert run(folder, "init").status == 0
    execute(folder / "app.db", "CREATE TABLE tasks (id INTEGER PRIMARY KEY)")
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_hyphen_is_stdout(project: Path, command: tuple[str, ...]) -> None:
    """`-` prints what the command prints without ``-o``."""
    printed, hyphen = run(project, *command), run(project, *command, "-o", "-")
    assert (hyphen.status, hyphen.out, hyphen.err) == (0, printed.out, printed.err)
    assert printed.out
    assert not (project / "-").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("file", ["migrations-of-nobody/x", "."])
def test_a_path_that_no_file_can_have(project: Path, command: tuple[str, ...], file: str) -> None:
    """A folder, and a file in a missing folder, are refused by name."""
    refused = run(project, *command, "-o", file)
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith(f"Error: --output {file}: ")


@pytest.mark.parametrize("command", GENERATORS, ids=" ".join)
def test_only_a_generated_file_is_replaced(project: Path, command: tuple[str, ...]) -> None:
    """A second run leaves an equal file alone; a file that the command didn't write needs ``--force``."""
    path = project / "made.txt"
    path.unlink(missing_ok=True)
    assert run(project, *command, "-o", "made.txt").err == "wrote made.txt\n"
    assert run(project, *command, "-o", "made.txt").err == "made.txt is up to date\n"
    path.write_text("mine\n")
    refused = run(project, *command, "-o", "made.txt")
    assert (refused.status, path.read_text()) == (2, "mine\n")
    assert "pass --force" in refused.err
    assert run(project, *command, "-o", "made.txt", "--force").err == "wrote made.txt\n"
    path.write_text(path.read_text() + "x = 1\n")
    assert run(project, *command, "-o", "made.txt").err == "wrote made.txt\n"


@pytest.mark.parametrize("order", [("models", "enums"), ("enums", "models")], ids=" ".join)
def test_generated_files_can_be_written_in_any_order(tmp_path: Path, order: tuple[str, str]) -> None:
    """`models` imports the module of ``enums``, whether or not it exists yet."""
    assert run(tmp_path, "init").status == 0
    (tmp_path / "enums.py").unlink()
    (tmp_path / "enums.json").write_text('{"STATES": ["open", "done"]}')
    edit(tmp_path / "schema.yaml", "enums: enums", "enums: enums.json")
    edit(tmp_path / "schema.yaml", "enum: State", "enum: STATES")
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write('models = "tables.py"\nenums_python = "states.py"\n')
    assert run(tmp_path, "generate").status == 0
    for command in order:
        assert run(tmp_path, command).status == 0
    assert "from states import State" in (tmp_path / "tables.py").read_text()
    assert run(tmp_path, "check").status == 0
