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


@pytest.fixture
def run_pytest(pytester: pytest.Pytester) -> RunPytest:
    """Return a function that runs pytest with warnings as errors; with xdist, in processes of its own."""

    def run_it(*arguments: str) -> pytest.RunResult:
        # The plugins of this project's tests take a second to start.
        others = [
            option for name in ("randomly", "inline_snapshot", "hypothesispytest") for option in ("-p", f"no:{name}")
        ]
        start = pytester.runpytest_subprocess if "-n" in arguments else pytester.runpytest_inprocess
        return start("-W", "error", *others, *arguments)

    return run_it
