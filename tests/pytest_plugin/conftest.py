"""A project whose tests use the plugin."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.projects import edit, generated_project, run

RunPytest = Callable[..., pytest.RunResult]

#: Its migrations, in order: the third rebuilds a table, and the fourth refuses rows without a value.
IDS = ("0001_initial", "0002_due", "0003_default", "0004_body")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with several migrations."""
    folder = generated_project(tmp_path_factory.mktemp("template") / "project")
    (folder / "pyproject.toml").write_text("[tool.waiaas-migrate]\n", encoding="utf-8")
    schema = folder / "schema.yaml"
    for name, old, new in (
        ("due", "    indexes:\n", "      due_at: timestamp\n    indexes:\n"),
        ("default", "default: open,", "default: done,"),
        ("body", "body: text", "body: {type: text, nullable: false}"),
    ):
        edit(schema, old, new)
        done = run(folder, "generate", "-m", name)
        assert done.status == 0, done.err
    return folder


@pytest.fixture
def project(template: Path, pytester: pytest.Pytester) -> Path:
    """Return a copy of the project, in which ``pytester`` runs pytest."""
    shutil.copytree(template, pytester.path, dirs_exist_ok=True)
    return pytester.path


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for compiled modules, which each run of pytest would compile again otherwise."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def run_pytest(pytester: pytest.Pytester, bytecode: Path, monkeypatch: pytest.MonkeyPatch) -> RunPytest:
    """Return a function that runs pytest in its own process, with warnings as errors."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(bytecode))
    # The plugins of this project's tests take a second to start.
    others = ("randomly", "hypothesispytest", "anyio")
    options = ["-W", "error", *(option for name in others for option in ("-p", f"no:{name}"))]
    return lambda *arguments: pytester.runpytest_subprocess(*options, *arguments)
