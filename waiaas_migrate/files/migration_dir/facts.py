"""The facts that ``manifest.json`` records about each migration, and how they are written there.

One text a migration, as ``constant=agents | scan=agents changes_rows``: what applying it does and, behind the bar, what
rolling it back does. A text, since a file of a thousand lines is read on the way of every first opening, and nested
objects would take several times as long. Defaults are left out; ``any`` means that nothing is known, and the worst is
assumed. Whether a rollback can lose something isn't recorded: it always can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from waiaas_migrate.sqlite.planning.effects import WORST_CASE, AnnouncedHazard, Cost, Effects

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

    forward: Effects = WORST_CASE
    rollback: Effects = WORST_CASE
    catalog: str | None = None


UNKNOWN = Facts()


def mark(fingerprint: str) -> str:
    """The beginning of a fingerprint, long enough to recognize a catalog by."""
    return fingerprint.partition(":")[2][:_MARK_LENGTH]


def written(facts: Facts) -> dict[str, Any]:
    """``facts`` as they stand in the manifest."""
    forward = _written(facts.forward, loses=facts.forward.loses)
    back = "" if facts.rollback == WORST_CASE else f" | {_written(facts.rollback, loses=False)}".rstrip()
    catalog = {} if facts.catalog is None else {"catalog": facts.catalog}
    return {"facts": forward + back, **catalog}


def _written(effects: Effects, *, loses: bool) -> str:
    """Words with what belongs to them behind ``=``; names are percent-encoded, so that nothing in them parts words."""
    words = ["any"] if effects.tables is None else [*_tables(effects.tables)]
    if effects.is_known:
        words += [name for name in _FLAGS if getattr(effects, name)] + (["loses"] if loses else [])
    if effects.hazards:
        words.append("hazards=" + ",".join(quote(str(hazard), safe="") for hazard in effects.hazards))
    return " ".join(words)


def _tables(tables: Iterable[tuple[str, Cost]]) -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for name, cost in tables:
        names.setdefault(cost.value, []).append(quote(name, safe=""))
    yield from (f"{cost}={','.join(found)}" for cost, found in names.items())


def read(entry: dict[str, Any]) -> Facts | None:
    """The facts that stand in a line of the manifest; None if it has none, as the lines of old versions.

    Raises:
        AttributeError: it is not what :func:`written` gives.
        TypeError: likewise.
        ValueError: likewise.
    """
    if "facts" not in entry:
        return None
    catalog = entry.get("catalog")
    if not isinstance(catalog, str | None):
        raise TypeError(f"{catalog!r} is not a text")
    forward, bar, back = entry["facts"].partition("|")
    return Facts(
        forward=_read(forward, always_loses=False),
        rollback=_read(back, always_loses=True) if bar else WORST_CASE,
        catalog=catalog,
    )


def _read(text: str, *, always_loses: bool) -> Effects:
    tables: list[tuple[str, Cost]] = []
    hazards: tuple[AnnouncedHazard, ...] = ()
    flags: set[str] = set()
    for word in text.split():
        key, equals, listed = word.partition("=")
        names = [unquote(name) for name in listed.split(",")] if equals else []
        if key == "hazards":
            hazards = tuple(_hazard(name) for name in names)
        elif equals:
            tables += [(name, Cost(key)) for name in names]
        elif word in (*_FLAGS, "loses", _ANY):
            flags.add(word)
        else:
            raise ValueError(f"{word!r} is not a fact")
    if _ANY in flags:
        return replace(WORST_CASE, hazards=hazards)
    return Effects(
        tables=tuple(tables),
        changes_rows="changes_rows" in flags,
        changes_keys="changes_keys" in flags,
        loses=always_loses or "loses" in flags,
        hazards=hazards,
    )


def _hazard(text: str) -> AnnouncedHazard:
    code, _, where = text.partition(" ")
    return AnnouncedHazard(code=code, where=where)
