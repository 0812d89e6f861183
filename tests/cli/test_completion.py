"""Shells complete commands, options, files, codes and migrations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.projects import generated_project, listing, run

_COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { echo "$2"; }
_waiaas_migrate_completion waiaas-migrate
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(project: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of ``words``."""
    script = project / "completion.bash"
    script.write_text(run(project, "completion", "bash").out, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "-c", _COMPLETE, "bash", str(script), "waiaas-migrate", *words],
        cwd=project,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ro",), ["rollback"]),
        (("generate", "--am"), ["--amend"]),
        (("generate", "--allow", "DROP_T"), ["DROP_TABLE"]),
        (("generate", "--allow", "al"), ["all"]),
        (("generate", "--released", ""), ["0001_initial"]),
        (("rollback", "app.db", "--to", "0001"), ["0001_initial"]),
        (("completion", "z"), ["zsh"]),
        (("apply", "app"), ["default"]),
        (("check", "--schema", "sch"), ["default"]),
        (("check", "--migrations", "mig"), ["dirnames"]),
        (("diff", "a"), ["default"]),
    ],
)
def test_bash_completes(tmp_path: Path, words: tuple[str, ...], expected: list[str]) -> None:
    """The printed script completes in bash; files and folders are left to the shell."""
    assert completed(generated_project(tmp_path), *words) == expected


def test_nothing_to_complete(tmp_path: Path) -> None:
    """A broken project completes nothing, without an error."""
    (tmp_path / "pyproject.toml").write_text("[tool.waiaas-migrate]\nnonsense = 1\n", encoding="utf-8")
    assert completed(tmp_path, "generate", "--released", "") == []


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", ".local/share/bash-completion/completions/waiaas-migrate"),
        ("zsh", ".zfunc/_waiaas-migrate"),
        ("fish", ".config/fish/completions/waiaas-migrate.fish"),
    ],
)
def test_the_script_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, path: str) -> None:
    """``--install`` writes the script to the file that the shell reads, instead of printing it."""
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "BASH_COMPLETION_USER_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    printed = run(tmp_path, "completion", shell)
    assert "waiaas-migrate" in printed.out
    assert f"completion {shell} --install" in printed.err
    assert listing(tmp_path) == {}
    done = run(tmp_path, "completion", shell, "--install")
    assert (done.status, done.out) == (0, "")
    assert done.err.startswith(f"wrote {tmp_path / path}\n")
    assert (tmp_path / path).read_text(encoding="utf-8") == printed.out


def test_a_home_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that can't be installed is an error without a traceback."""
    (tmp_path / "home").write_text("", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    done = run(tmp_path, "completion", "zsh", "--install")
    assert (done.status, done.out) == (2, "")
    assert done.err.endswith("cannot be written: Not a directory. Leave out --install.\n")
