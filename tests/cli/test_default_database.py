"""Without the argument DATABASE, commands use the database of the environment or of pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import generated_project, run

SETTING = '[tool.waiaas-migrate]\ndatabase = "data/app.db"\n'
VARIABLE = "WAIAAS_MIGRATE_DATABASE"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose configuration names a database that does not exist yet."""
    project = generated_project(tmp_path / "p")
    (project / "data").mkdir()
    (project / "pyproject.toml").write_text(SETTING)
    return project


def test_every_command_uses_the_configured_database(project: Path) -> None:
    """Each command that takes a DATABASE works without one."""
    commands = (
        ("apply",),
        ("status",),
        ("drift",),
        ("inspect",),
        ("rollback", "--count", "1"),
        ("restore", "--list"),
        ("restore",),
        ("adopt",),
    )
    for command in commands:
        found = run(project, *command)
        assert found.status == 0, (command, found)
    assert (project / "data" / "app.db").exists()


def test_the_path_is_relative_to_the_project(project: Path) -> None:
    """In a folder below, the same file is used and named as one would type it there."""
    (project / "sub").mkdir()
    assert run(project, "apply").status == 0
    found = run(project / "sub", "status", "--json")
    assert '"database": "../data/app.db"' in found.out
    assert [path.name for path in (project / "sub").iterdir()] == []


@pytest.mark.parametrize("name", ["sqlite:///data/app.db", "data/*.db"])
def test_a_url_or_a_pattern(project: Path, name: str) -> None:
    """A relative URL is relative to the project, too; a pattern names several databases."""
    assert run(project, "apply", "data/app.db", "data/b.db").status == 0
    (project / "pyproject.toml").write_text(SETTING.replace("data/app.db", name))
    (project / "sub").mkdir()
    found = run(project / "sub", "status")
    assert found.status == 0, found
    assert "../data/app.db: up to date." in found.out
    assert ("../data/b.db" in found.out) == ("*" in name)


def test_the_environment_wins_and_an_argument_wins_over_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is argument, environment, pyproject.toml; an empty variable counts as none."""
    monkeypatch.setenv(VARIABLE, "env.db")
    assert run(project, "apply").status == 0
    assert run(project, "apply", "argument.db").status == 0
    assert sorted(path.name for path in project.rglob("*.db")) == ["argument.db", "env.db"]
    monkeypatch.setenv(VARIABLE, "")
    assert run(project, "apply").status == 0
    assert (project / "data" / "app.db").exists()


def test_one_argument_of_restore_is_the_database(project: Path) -> None:
    """A single argument never becomes a BACKUP of the configured database."""
    assert run(project, "apply").status == 0
    assert run(project, "apply", "other.db", "--backup", "always").status == 0
    assert run(project, "rollback", "--backup", "always").status == 0
    found = run(project, "restore", "other.db")
    assert (found.status, "other.db: no backup found beside it" in found.err) == (2, True)
    backup = next((project / "data").glob("app.db.backup-*"))
    found = run(project, "restore", f"data/{backup.name}")
    assert (found.status, "no backup found beside it" in found.err) == (2, True)


@pytest.mark.parametrize(
    "command", ["apply", "adopt", "drift", "inspect", "restore", "rollback", "status", "apply --redo"]
)
def test_without_any_the_error_names_the_three_ways(tmp_path: Path, command: str) -> None:
    """Without any database, nothing is created, and the exit status is 2."""
    project = generated_project(tmp_path / "p")
    found = run(project, *command.split())
    assert (found.status, found.out) == (2, "")
    assert found.err == (
        "Error: Missing DATABASE. Pass it as an argument, or set WAIAAS_MIGRATE_DATABASE "
        'or `database = "app.db"` in [tool.waiaas-migrate].\n'
    )


@pytest.mark.parametrize("value", ['""', "5", '":memory:"', '"file:x.db?mode=ro"', '"sqlite://host/x.db"', '["a.db"]'])
def test_a_value_that_names_no_file(project: Path, value: str) -> None:
    """A setting that can't be a file name is refused, with its place in pyproject.toml."""
    (project / "pyproject.toml").write_text(f"[tool.waiaas-migrate]\ndatabase = {value}\n")
    found = run(project, "status")
    assert found.status == 2
    assert "tool.waiaas-migrate.database: `database` must be a path or a sqlite:/// URL." in found.err
