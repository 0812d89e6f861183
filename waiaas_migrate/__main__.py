"""Run the command line: ``python -m waiaas_migrate`` does the same as ``waiaas-migrate``."""

from __future__ import annotations

from waiaas_migrate.cli import run

if __name__ == "__main__":
    run()
