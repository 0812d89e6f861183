"""Run the ``yoyo`` command so that it finds this package's backend by its entry point, as when it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.projects import CHECKOUT


def install_entry_points(folder: Path) -> Path:
    """Write the entry points in pyproject.toml as an installer does; return the folder for ``PYTHONPATH``."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines: list[str] = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    made = folder / "site" / "waiaas_migrate-0.dist-info"
    made.mkdir(parents=True, exist_ok=True)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: waiaas-migrate\nVersion: 0\n", encoding="utf-8")
    (made / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made.parent


def yoyo_process(site: Path, command: str, url: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the ``yoyo`` command on the database at ``url``."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "yoyo", command, "--batch", "--no-config-file"),
            *("--database", url, *options, str(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{CHECKOUT}"},
    )
