"""Read the hazard codes in the values of ``--allow``."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from waiaas_migrate.errors import UsageError
from waiaas_migrate.schema.hazards.hazard import Code


def allowed_codes(allow: Collection[str]) -> frozenset[Code]:
    """Return the hazard codes in ``allow`` (in any case); for ``all``, all codes.

    Raises:
        UsageError: ``allow`` contains an unknown code.
    """
    if any(name.upper() == "ALL" for name in allow):
        return frozenset(Code)
    for name in allow:
        if name.upper() not in Code.__members__:
            close = difflib.get_close_matches(name.upper(), Code.__members__, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(Code)}, or all."
            raise UsageError(f"--allow {name}: unknown hazard. {hint}")
    return frozenset(Code[name.upper()] for name in allow)
