"""``--quiet`` and ``--verbose``, before or after the command, and ``--version``."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.projects import edit, generated_project, run, write_project


@pytest.mark.parametrize(
    "arguments", [("--quiet", "generate"), ("generate", "--quiet"), ("-q", "generate"), ("generate", "-q")]
)
def test_quiet(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Only results are printed; the next command prints everything again."""
    write_project(tmp_path)
    done = run(tmp_path, *arguments)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("add table tasks ")
    (tmp_path / "schema.yaml").write_text("version: 1\ntables: {}\n", encoding="utf-8")
    refused = run(tmp_path, *arguments)
    assert (refused.status, refused.err) == (1, "Nothing was written: --allow is needed for 2 hazards.\n")
    assert "wrote " in run(tmp_path, "generate", "--allow", "all").err


def test_quiet_errors(tmp_path: Path) -> None:
    """Errors are printed even with ``--quiet``."""
    assert run(tmp_path, "-q", "check").err.startswith("Error: schema.yaml: no such file.")


@pytest.mark.parametrize("arguments", [("--verbose", "apply"), ("apply", "-v")])
def test_verbose(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Each migration and statement is named on stderr as it begins."""
    generated_project(tmp_path)
    done = run(tmp_path, *arguments, "app.db")
    assert (done.status, done.out) == (0, "applied 0001_initial\n")
    lines = done.err.splitlines()
    assert lines[0] == "0001_initial (1/1)"
    assert lines[1].startswith("  1/")
    assert any("CREATE TABLE tasks (" in line for line in lines)
    assert lines[-1] == "committed 0001_initial"
    edit(tmp_path / "schema.yaml", "      body: text\n", "      body: text\n      more: text\n")
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "apply", "app.db").err == ""


def test_versions() -> None:
    """``--version`` prints the versions that a bug report needs, without importing yoyo."""
    code = "import sys; from waiaas_migrate.cli import main; main(['--version']); print(sorted({'yoyo', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line, loaded = done.stdout.splitlines()
    assert f", yoyo {version('yoyo-migrations')}, Python 3." in line
    assert loaded == "[]"
