"""Read commits and files from git. Without git, most functions return None."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from waiaas_migrate.errors import UsageError

#: The names to try for the main branch, in this order.
_MAIN_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")

#: Variables that git sets for its hooks. They name a repository, which git would use instead of the folder's.
_REPOSITORY_VARIABLES = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX"})


class MergeBase(NamedTuple):
    """The last commit that HEAD and the main branch share, and that branch's name."""

    commit: str
    branch: str


class Merge(NamedTuple):
    """The last commits of the main branch and of the other branch of a merge, and their merge base, if any."""

    main: str
    branch: str
    base: str | None


def repository_root(folder: Path) -> Path | None:
    """Return the top folder of the repository with ``folder``; None without one."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(top) if top else None


def merge_base_with_main(folder: Path, main_branch: str | None = None) -> MergeBase | None:
    """Return the merge base of HEAD and the main branch.

    Return None if git is missing, or if there is no repository, no commit or no main branch. If the two branches have
    no common commit, as in a shallow clone, return the last commit of the main branch. If ``main_branch`` is None, it
    is the remote's default, ``main`` or ``master``.

    Raises:
        UsageError: there is no branch ``main_branch``, or git refuses to read the repository.
    """
    if not _is_in_repository(folder) or _commit(folder, "HEAD") is None:
        return None
    for branch in _main_branches(main_branch):
        if tip := _commit(folder, branch):
            base = _git(folder, "merge-base", "HEAD", tip) or tip
            return MergeBase(commit=base, branch=_git(folder, "rev-parse", "--abbrev-ref", branch) or branch)
    if main_branch is not None:
        fix = "Correct `main_branch` in [tool.waiaas-migrate] of pyproject.toml, or fetch the branch."
        raise UsageError(f"git has no branch {main_branch}. {fix}")
    return None


def _main_branches(name: str | None) -> tuple[str, ...]:
    return _MAIN_BRANCHES if name is None else (f"origin/{name}", name)


def read_merge(folder: Path, main_branch: str | None = None, onto: str | None = None) -> Merge:
    """Return the merge in progress, or else the last committed merge.

    ``onto`` is a branch or commit to use instead of ``main_branch``. If both are None, the main branch is the
    remote's default, ``main`` or ``master``.

    Raises:
        UsageError: there is no merge, neither side is in the main branch, or git isn't installed.
    """
    if not _is_in_repository(folder) or (sides := _merge_sides(folder)) is None:
        raise UsageError("git has no merge here, so there is nothing to rebase. First run `git merge` with the branch.")
    if onto is not None and _commit(folder, onto) is None:
        raise UsageError(f"--onto {onto}: git has no such branch or commit.")
    # For each possible main branch, the sides of the merge that it contains.
    contained = [
        [side for side in sides if _git(folder, "merge-base", "--is-ancestor", side, branch) is not None]
        for branch in (_main_branches(main_branch) if onto is None else (onto,))
    ]
    # A merge into the main branch leaves both sides in it; the first side is the old main branch.
    main = next((found[0] for count in (1, 2) for found in contained if len(found) == count), None)
    if main is None:
        raise UsageError("Neither side of the merge is in the main branch. Name the branch to build on with --onto.")
    branch = sides[1] if main == sides[0] else sides[0]
    return Merge(main=main, branch=branch, base=_git(folder, "merge-base", main, branch))


def _merge_sides(folder: Path) -> tuple[str, str] | None:
    """Return the two commits that the merge joins, the checked-out one first; None without a merge of two."""
    if merged := _commit(folder, "MERGE_HEAD"):
        return _commit(folder, "HEAD") or "HEAD", merged
    last = _git(folder, "rev-list", "--merges", "--max-count=1", "HEAD")
    parents = (_git(folder, "rev-parse", f"{last}^1", f"{last}^2") or "").split() if last else []
    return (parents[0], parents[1]) if len(parents) == 2 else None


def extract_committed(folder: Path, commit: str, target: Path) -> None:
    """Copy the files (no subfolders) of ``folder`` in ``commit`` to ``target``; do nothing if git fails."""
    done = _run(folder, "archive", "--format=tar", commit, ".")
    if done is None or done.returncode != 0:
        return
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive.getmembers():
            name = member.name.removeprefix("./")
            if member.isfile() and "/" not in name and (file := archive.extractfile(member)) is not None:
                (target / name).write_bytes(file.read())


def read_committed(folder: Path, commit: str, name: str) -> str | None:
    """Return the text of a file of ``folder`` in ``commit``; None if it is missing."""
    return _git(folder, "cat-file", "blob", f"{commit}:./{name}")


def committed_files(folder: Path, commit: str) -> frozenset[str]:
    """Return the names of the files of ``folder`` in ``commit``.

    Raises:
        UsageError: ``folder`` is not in a repository, git doesn't know ``commit``, or git isn't installed.
    """
    if not _is_in_repository(folder):
        raise UsageError(f"{folder}: is not in a git repository, so there is no {commit} to compare with.")
    if commit.startswith("-") or not _commit(folder, commit):
        raise UsageError(f"git has no commit {commit}. Name a branch, a tag or a commit; in CI, fetch it first.")
    return frozenset((_git(folder, "ls-tree", "--name-only", "-z", commit, "./") or "").split("\0"))


def _is_in_repository(folder: Path) -> bool:
    """Return whether ``folder`` is in a repository.

    Raises:
        UsageError: git fails for another reason, such as a repository that belongs to another user.
    """
    done = _run(folder, "rev-parse", "--git-dir") if folder.is_dir() else None
    if done is None or done.returncode == 0:
        return done is not None
    message = done.stderr.decode(errors="replace").strip()
    if "not a git repository (or any" in message:
        return False
    raise UsageError(
        f"git can't tell which migrations are released: {message.partition(chr(10))[0]}. Correct that first."
    )


def _commit(folder: Path, name: str) -> str | None:
    """Return the id of the commit that ``name`` refers to; None if git has none."""
    return _git(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")


def _git(folder: Path, *arguments: str) -> str | None:
    """Return git's output without whitespace around it; None if git fails."""
    done = _run(folder, *arguments)
    return done.stdout.decode(errors="replace").strip() if done is not None and done.returncode == 0 else None


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes] | None:
    """Run git in ``folder``; return None if it isn't installed."""
    environment = {name: text for name, text in os.environ.items() if name not in _REPOSITORY_VARIABLES}
    try:
        return subprocess.run(  # noqa: S603 — all options are from this module, and none from the user
            ["git", "-C", str(folder), *arguments],  # noqa: S607 — git is found on the PATH
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**environment, "LC_ALL": "C"},
        )
    except OSError:
        return None
