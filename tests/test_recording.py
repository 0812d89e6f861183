"""The recording in the README matches the current output."""

from __future__ import annotations

import sys

import pytest

from tests.support.recording import RECORDING, recording


@pytest.mark.skipif(sys.platform != "linux", reason="the commands and terminals of other systems differ")
def test_the_recording_is_up_to_date() -> None:
    """docs/recording.svg shows what the commands print; if it is stale, run ``python -m tests.support.recording``."""
    assert recording() == RECORDING.read_text(encoding="utf-8")
