"""The options of a run of migrations, as one value that every function of the run passes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.runner.watching.events import Listener, StopRequest

#: When a run backs up the database first; ``auto`` means only if the run could lose data or rebuilds a table.
BackupWhen = Literal["auto", "always", "never"]

#: Whether all pending migrations share one transaction, or each has its own.
Transaction = Literal["all", "each"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run migrations.

    Args:
        verify: compare the resulting schema with the recorded one before COMMIT.
        backup: when to back up an existing database first.
        transaction: which migrations commit together; a rollback always runs in one transaction.
        listener: receives the events of the run.
        stop: the run ends and is rolled back once ``stop.is_set()`` returns true.
    """

    verify: bool = True
    backup: BackupWhen = "auto"
    transaction: Transaction = "all"
    listener: Listener | None = None
    stop: StopRequest | None = None
