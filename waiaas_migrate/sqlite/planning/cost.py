"""What a step costs, as its comment in a migration says."""

from __future__ import annotations

from enum import StrEnum


class Cost(StrEnum):
    """How the time of a step grows with the rows of its table."""

    CONSTANT = "constant"
    SCAN = "scan"
    REBUILD = "rebuild"
