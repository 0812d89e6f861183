"""Run git in the projects of tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(folder: Path, *arguments: str) -> str:
    """Run a git command, which must work, and return what it prints."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607 — wherever it is installed
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **_SETTINGS},
    )
    return done.stdout


def commit_all(folder: Path, branch: str = "main") -> None:
    """Commit everything in ``folder``; make it a repository with this branch first, if it isn't one."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch", branch)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "change")
