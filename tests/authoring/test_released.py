"""Released migrations: those that the main branch had when the current branch left it, or that the user names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.git import commit_all, git
from tests.support.projects import run
from waiaas_migrate import UsageError, find_project
from waiaas_migrate.authoring.released import reasons_released

IDS = ("0001_initial", "0002_v1", "0003_v2")


def add_view(folder: Path, number: int) -> None:
    """Generate a migration that adds a view."""
    with (folder / "schema.yaml").open("a", encoding="utf-8") as file:
        file.write(f"  v{number}: SELECT id FROM t\n")
    assert run(folder, "generate", "-m", f"v{number}").status == 0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of a repository, with one migration on the branch ``trunk``."""
    folder = tmp_path / "repository" / "server"
    folder.mkdir(parents=True)
    (folder / "schema.yaml").write_text(
        "version: 1\ntables:\n  t: {columns: {id: {type: integer, primary_key: true}}}\nviews:\n", encoding="utf-8"
    )
    (folder / "schema.yaml").write_text(
        "version: 1\ntables:\n  t: {columns: {id: {type: integer, primary_key: true}}}\nviews:\n"
        "  v0: SELECT id FROM t\n",
        encoding="utf-8",
    )
    assert run(folder, "generate").status == 0
    commit_all(folder.parent, "trunk")
    return folder


def released(folder: Path, *named: str, main_branch: str | None = None) -> dict[str, str]:
    """Return the released migrations."""
    return reasons_released(replace(find_project(folder), main_branch=main_branch), IDS, named)


def test_without_git_nothing_is_known(tmp_path: Path) -> None:
    """Outside a repository, and without git, only what the user names is released."""
    assert released(tmp_path) == {}
    assert set(released(tmp_path, "0002_v1")) == {"0001_initial", "0002_v1"}


def test_git_is_not_installed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing git is not an error."""
    monkeypatch.setenv("PATH", "")
    assert released(project, main_branch="trunk") == {}


def test_in_a_hook_of_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that git sets for its hooks don't change which repository and folder are asked."""
    monkeypatch.setenv("GIT_DIR", str(project.parent / ".git"))
    assert set(released(project, main_branch="trunk")) == {"0001_initial"}
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_WORK_TREE", ".")
    assert set(released(project, main_branch="trunk")) == {"0001_initial"}


def test_a_repository_that_git_refuses(project: Path) -> None:
    """If git doesn't read the repository, released migrations are not taken for others."""
    (project / ".git").write_text("gitdir: none\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"git can't tell which migrations are released: fatal: not a git repository:"):
        released(project)


def test_a_repository_without_commits(tmp_path: Path) -> None:
    """Nothing is released before the first commit."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    assert released(tmp_path) == {}


def test_the_branch_of_the_settings(project: Path) -> None:
    """Without main, master or a remote, pyproject.toml names the branch; a wrong name is an error."""
    assert released(project) == {}
    found = released(project, main_branch="trunk")
    assert found == {"0001_initial": "the branch trunk has it"}
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nmain_branch = "trunk"\n', encoding="utf-8")
    assert find_project(project).main_branch == "trunk"
    with pytest.raises(UsageError, match=r"git has no branch trnk\. Correct `main_branch`"):
        released(project, main_branch="trnk")


def test_the_merge_base_decides(project: Path) -> None:
    """Migrations that the main branch got later don't count as released. Neither do those of the current branch."""
    git(project, "branch", "--move", "main")
    git(project, "switch", "--quiet", "--create", "mine")
    add_view(project, 1)
    commit_all(project.parent)
    git(project, "switch", "--quiet", "main")
    add_view(project, 2)
    commit_all(project.parent)
    assert set(released(project)) == {"0001_initial", "0002_v2"}
    git(project, "switch", "--quiet", "mine")
    assert set(released(project)) == {"0001_initial"}


def test_the_remote_comes_first(project: Path, tmp_path: Path) -> None:
    """Migrations that are not pushed yet are not released, even on the main branch itself."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(project.parent), str(clone))
    add_view(clone / "server", 1)
    commit_all(clone)
    found = released(clone / "server")
    assert found == {"0001_initial": "the branch origin/trunk has it"}
