"""Fixtures that many tests of the runner share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a recorded folder of three migrations."""
    return write_folder(tmp_path / "m", FAMILY)
