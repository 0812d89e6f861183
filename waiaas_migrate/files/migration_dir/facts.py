"""The facts that ``manifest.json`` records about each migration, and how they are written there.

Defaults are left out, so that most lines are short: ``"tables": {"constant": ["agents"]}``. ``"tables": "any"`` means
that nothing is known, and the worst is assumed. Whether a rollback can lose something isn't recorded: it always can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from waiaas_migrate.sqlite.cost import Cost
from waiaas_migrate.sqlite.effects import WORST, Announced, Effects

_ANY = "any"
_FLAGS = ("changes_rows", "changes_keys")
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
    lost = {"loses": True} if facts.forward.is_known and facts.forward.loses else {}
    back = {} if facts.rollback == WORST else {"rollback": _written(facts.rollback)}
    catalog = {} if facts.catalog is None else {"catalog": facts.catalog}
    return {**_written(facts.forward), **lost, **back, **catalog}


def _written(effects: Effects) -> dict[str, Any]:
    hazards = [str(hazard) for hazard in effects.hazards]
    told = {"hazards": hazards} if hazards else {}
    if effects.tables is None:
        return {"tables": _ANY, **told}
    tables: dict[str, list[str]] = {}
    for name, cost in effects.tables:
        tables.setdefault(cost.value, []).append(name)
    return {"tables": tables, **{name: True for name in _FLAGS if getattr(effects, name)}, **told}


def read(entry: dict[str, Any]) -> Facts | None:
    """The facts that stand in a line of the manifest; None if it has none, as the lines of old versions.

    Raises:
        AttributeError: it is not what :func:`written` gives.
        KeyError: likewise.
        TypeError: likewise.
        ValueError: likewise.
    """
    if "tables" not in entry:
        return None
    back, catalog, loses = entry.get("rollback"), entry.get("catalog"), entry.get("loses", False)
    if not isinstance(catalog, str | None):
        raise TypeError(f"{catalog!r} is not a text")
    return Facts(
        forward=_read(entry, loses=loses), rollback=WORST if back is None else _read(back, loses=True), catalog=catalog
    )


def _read(found: dict[str, Any], *, loses: object) -> Effects:
    hazards = tuple(_hazard(text) for text in found.get("hazards", ()))
    if found["tables"] == _ANY:
        return replace(WORST, hazards=hazards)
    flags = {name: found.get(name, False) for name in _FLAGS} | {"loses": loses}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{name} is neither true nor false")
    tables = tuple((_text(name), Cost(cost)) for cost, names in found["tables"].items() for name in names)
    return Effects(tables=tables, hazards=hazards, **flags)


def _hazard(text: object) -> Announced:
    code, _, where = _text(text).partition(" ")
    return Announced(code=code, where=where)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value
