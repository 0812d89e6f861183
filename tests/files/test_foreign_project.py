"""A pyproject.toml of another user is not used, because its settings run code: as with git's safe.directory."""

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
    """A folder for everybody with another user's pyproject.toml and enums module; a project of one's own below it."""
    write_project(shared, kinds="open('ran', 'w').close()\n" + KINDS)
    (shared / "pyproject.toml").write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    for path in shared.iterdir():
        os.chown(path, STRANGER, STRANGER)
    write_project(shared / "mine")
    return shared


@pytest.mark.parametrize("command", [["check"], ["generate"], ["apply", "app.db"], ["status", "app.db"]])
def test_nothing_of_it_runs(planted: Path, command: list[str]) -> None:
    """No command uses it; the message names the file, its owner and the way out."""
    done = run(planted / "mine", *command)
    assert (done.status, done.out) == (2, "")
    assert f"{planted}/pyproject.toml: the file belongs to uid {STRANGER}, and you are root (uid 0)." in done.err
    assert f"set {TRUSTED}={planted}/pyproject.toml in the environment" in done.err
    assert list(planted.rglob("ran")) == []


def test_a_nearer_one_of_ones_own(planted: Path) -> None:
    """A project with a pyproject.toml of its own does not look further up."""
    (planted / "mine" / "pyproject.toml").write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    assert find_project(planted / "mine").root == planted / "mine"


def test_one_of_something_else(planted: Path) -> None:
    """A file without the table is of no interest, whoever owns it."""
    (planted / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert find_project(planted / "mine").root == planted / "mine"


@pytest.mark.parametrize("value", ["{}/pyproject.toml", "*", "/elsewhere:{}/pyproject.toml"])
def test_a_trusted_one(planted: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The environment variable lists files to use all the same."""
    monkeypatch.setenv(TRUSTED, value.format(planted))
    assert find_project(planted / "mine").root == planted


@pytest.mark.parametrize("value", ["", "{}", "/elsewhere/pyproject.toml"])
def test_another_one_is_trusted(planted: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """It names files, not folders."""
    monkeypatch.setenv(TRUSTED, value.format(planted))
    with pytest.raises(ProjectError, match="the file belongs to"):
        find_project(planted / "mine")


def test_sudo(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sudo, the files of the user who called it are used, but not for anybody other than root."""
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert find_project(planted / "mine").root == planted
    with unprivileged(), pytest.raises(ProjectError, match="the file belongs to"):
        find_project(planted / "mine")


def test_roots_own(planted: Path) -> None:
    """Root's files are everybody's to use."""
    os.chown(planted / "pyproject.toml", 0, 0)
    with unprivileged():
        assert find_project(planted / "mine").root == planted


def test_a_link(planted: Path) -> None:
    """A link of another user to a file of one's own is not used: it would name another folder."""
    own = planted / "mine" / "own.toml"
    own.write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    (planted / "pyproject.toml").unlink()
    (planted / "pyproject.toml").symlink_to(own)
    os.lchown(planted / "pyproject.toml", STRANGER, STRANGER)
    with pytest.raises(ProjectError, match="the file belongs to"):
        find_project(planted / "mine")
