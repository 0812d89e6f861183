"""Another user's pyproject.toml is not used, because its settings run code. git's safe.directory does the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.projects import KINDS, run, write_project
from tests.support.rights import IS_ROOT, unprivileged
from waiaas_migrate.errors import ProjectError
from waiaas_migrate.files.project import TRUSTED, find_project

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="only root may give files to another user")

STRANGER = 65533


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TRUSTED, raising=False)
    monkeypatch.delenv("SUDO_UID", raising=False)


@pytest.fixture
def planted(shared: Path) -> Path:
    """Return a shared folder with another user's pyproject.toml and enums, and an own project below it."""
    write_project(shared, kinds="open('ran', 'w').close()\n" + KINDS)
    (shared / "pyproject.toml").write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    for path in shared.iterdir():
        os.chown(path, STRANGER, STRANGER)
    write_project(shared / "mine")
    return shared


@pytest.mark.parametrize("command", [["check"], ["generate"], ["apply", "app.db"], ["status", "app.db"]])
def test_another_users_file_is_refused(planted: Path, command: list[str]) -> None:
    """No command uses the file; the message names the file, its owner and the fix."""
    done = run(planted / "mine", *command)
    assert (done.status, done.out) == (2, "")
    assert f"{planted}/pyproject.toml: the file belongs to uid {STRANGER}, and you are root (uid 0)." in done.err
    assert f"set {TRUSTED}={planted}/pyproject.toml in the environment" in done.err
    assert list(planted.rglob("ran")) == []


def test_an_own_file_ends_the_search(planted: Path) -> None:
    """A project with its own pyproject.toml does not use those above it."""
    (planted / "mine" / "pyproject.toml").write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    assert find_project(planted / "mine").root == planted / "mine"


def test_a_file_without_the_table_is_ignored(planted: Path) -> None:
    """The owner of a file without the table does not matter."""
    (planted / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert find_project(planted / "mine").root == planted / "mine"


@pytest.mark.parametrize("value", ["{}/pyproject.toml", "*", "/elsewhere:{}/pyproject.toml"])
def test_a_trusted_file_is_used(planted: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The environment variable lists trusted files."""
    monkeypatch.setenv(TRUSTED, value.format(planted))
    assert find_project(planted / "mine").root == planted


@pytest.mark.parametrize("value", ["", "{}", "/elsewhere/pyproject.toml"])
def test_other_files_are_not_trusted(planted: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The environment variable names files, not folders."""
    monkeypatch.setenv(TRUSTED, value.format(planted))
    with pytest.raises(ProjectError, match="the file belongs to"):
        find_project(planted / "mine")


def test_files_of_the_sudo_user_are_used(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root uses the files of the user who called sudo."""
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert find_project(planted / "mine").root == planted
    with unprivileged(), pytest.raises(ProjectError, match="the file belongs to"):
        find_project(planted / "mine")


def test_files_of_root_are_used(planted: Path) -> None:
    """Everybody uses the files of root."""
    os.chown(planted / "pyproject.toml", 0, 0)
    with unprivileged():
        assert find_project(planted / "mine").root == planted


def test_another_users_link_is_refused(planted: Path) -> None:
    """A link of another user is not used, even to an own file: it would name another folder."""
    own = planted / "mine" / "own.toml"
    own.write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    (planted / "pyproject.toml").unlink()
    (planted / "pyproject.toml").symlink_to(own)
    os.lchown(planted / "pyproject.toml", STRANGER, STRANGER)
    with pytest.raises(ProjectError, match="the file belongs to"):
        find_project(planted / "mine")
