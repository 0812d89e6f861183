"""The command line: each command is one library call and a printer."""

from __future__ import annotations

from waiaas_migrate.cli.main import main, run

__all__ = ["main", "run"]
