"""What every test shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.support.faults import faults

__all__ = ["faults"]

# No deadline: a test runs on real files beside others, and a slow disk is no fault. print_blob: a failure found in CI
# can be repeated elsewhere.
settings.register_profile("ci", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("ci")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder in which everybody may do everything, below none that keeps anybody out."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)
