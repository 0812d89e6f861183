"""The facts that ``manifest.json`` records about each migration, and how they are written there.

Defaults are left out, so that most lines are short: ``"tables": {"agents": "constant"}``. ``"tables": "any"`` means
that nothing is known, and the worst is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from waiaas_migrate.sqlite.cost import Cost
from waiaas_migrate.sqlite.effects import WORST, Announced, Effects

_ANY = "any"
_FLAGS = ("changes_rows", "changes_keys", "loses")
_MARK_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is recorded about one migration.

    Args:
        forward: what applying it does.
        rollback: what rolling it back does.
        catalog: the mark of the catalog after it; None if nobody knows.
    """

    forward: Effects = WORST
    rollback: Effects = WORST
    catalog: str | None = None


UNKNOWN = Facts()


def mark(fingerprint: str) -> str:
    """The beginning of a fingerprint, long enough to recognize a catalog by."""
    return fingerprint.partition(":")[2][:_MARK_LENGTH]


def written(facts: Facts) -> dict[str, Any]:
    """``facts`` as they stand in the manifest."""
    back = _written(facts.rollback)
    return {
        **_written(facts.forward),
        **({} if back == {"tables": _ANY} else {"rollback": back}),
        **({} if facts.catalog is None else {"catalog": facts.catalog}),
    }


def _written(effects: Effects) -> dict[str, Any]:
    known = effects.tables is not None
    flags = {name: True for name in _FLAGS if known and getattr(effects, name)}
    hazards = [str(hazard) for hazard in effects.hazards]
    return {
        "tables": _ANY if effects.tables is None else {name: cost.value for name, cost in effects.tables},
        **flags,
        **({"hazards": hazards} if hazards else {}),
    }


def read(entry: dict[str, Any]) -> Facts | None:
    """The facts that stand in a line of the manifest; None if it has none, as the lines of old versions.

    Raises:
        ValueError: it is not what :func:`written` gives.
        TypeError: likewise.
        AttributeError: likewise.
    """
    if "tables" not in entry:
        return None
    back = entry.get("rollback")
    catalog = entry.get("catalog")
    if not isinstance(catalog, str | None):
        raise TypeError(f"{catalog!r} is not a text")
    return Facts(forward=_read(entry), rollback=WORST if back is None else _read(back), catalog=catalog)


def _read(found: dict[str, Any]) -> Effects:
    tables = found["tables"]
    hazards = tuple(_hazards(found.get("hazards", ())))
    if tables == _ANY:
        return replace(WORST, hazards=hazards)
    flags = {name: found.get(name, False) for name in _FLAGS}
    if any(not isinstance(flag, bool) for flag in flags.values()):
        raise TypeError(f"{flags} are not true or false")
    return Effects(tables=tuple((name, Cost(cost)) for name, cost in tables.items()), hazards=hazards, **flags)


def _hazards(texts: Iterable[str]) -> Iterable[Announced]:
    for text in texts:
        code, _, where = text.partition(" ")
        yield Announced(code=code, where=where)
