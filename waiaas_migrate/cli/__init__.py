"""The command line. Each command calls one function of the library, and prints the result."""

from __future__ import annotations

from waiaas_migrate.cli.main import main, run

__all__ = ["main", "run"]
