"""Find the files that ship with the package: templates and the WAIaaS schema."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent.parent


@functools.cache
def bundled(name: Literal["templates", "migrations", "schema.yaml"]) -> Path:
    """Return the path of a file or folder that ships with the package.

    A wheel holds these files inside the package. In a checkout or an editable install, they are beside the package.
    """
    inside = _PACKAGE / "bundled" / name
    return inside if inside.exists() else _PACKAGE.parent / name
