"""What ships with the package: the WAIaaS schema, its migrations, and the templates."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled(name: Literal["templates", "migrations", "schema.yaml"]) -> Path:
    """The path of what ships under ``name``.

    A wheel carries it inside the package; in a checkout, which an editable install points at, it stands beside it.
    """
    inside = _PACKAGE / "bundled" / name
    return inside if inside.exists() else _PACKAGE.parent / name
