"""Tables or columns that exchange their names."""

from __future__ import annotations

from collections.abc import Sequence

from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.schema.renames import Renames


def swapped_names(renames: Renames) -> tuple[Hazard, ...]:
    """Return a hazard for each circle of renames, since the schema can't show whether it was done."""
    return tuple(_swapped(table, names) for table, names in renames.circles())


def _swapped(table: str, names: Sequence[str]) -> Hazard:
    if table:
        what = f"exchanges the names of columns {', '.join(names)}, and so the values under each name."
    else:
        what = f"exchanges the names of tables {', '.join(names)}, and so the rows under each name."
    return Hazard(
        code=Code.SWAP_NAMES,
        where=table or names[0],
        what=f"{what} If an earlier migration has done this already, this one does it again.",
        fix="If one has, as after a merge or without manifest.json, remove these renamed_from hints.",
    )
