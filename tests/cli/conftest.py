"""Fixtures for tests of commands; a module that needs another project defines its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import generated_project, run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one migration."""
    return generated_project(tmp_path)


@pytest.fixture
def database(project: Path) -> Path:
    """A database at head, called ``app.db``."""
    assert run(project, "apply", "app.db").status == 0
    return project / "app.db"
