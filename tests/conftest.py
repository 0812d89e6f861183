"""Settings and fixtures that tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.support.faults import FaultInjector, compile_injector

# No deadline: tests run in parallel on real files, and a slow disk is not a failure. print_blob: a failure in CI can be
# repeated elsewhere.
settings.register_profile("ci", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("ci")


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder that every user can read and write."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> FaultInjector:
    """Return the compiled injector of faults."""
    return compile_injector(tmp_path_factory.mktemp("faults"))
