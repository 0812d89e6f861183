"""Convert the facts about migrations to and from entries of ``manifest.json``.

The effects of a migration are one text, such as ``constant=agents | scan=agents changes_rows``. The part before the bar
has the effects of applying the migration, the part after it the effects of rolling the migration back. A process reads
the whole file, perhaps a thousand lines, when it first opens a database; parsing nested objects would take several
times as long. Defaults are left out. ``any`` means that the effects are unknown, so readers assume the worst. ``loses``
is never written for a rollback, because every rollback can lose data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from waiaas_migrate.sqlite.planning.effects import WORST_CASE, AnnouncedHazard, Cost, Effects

_ANY, _LOSES, _HAZARDS = "any", "loses", "hazards"
#: The words for effects that are true or false, which are also the names of fields of :class:`Effects`.
_FLAGS = ("changes_rows", "changes_keys")
#: The number of hexadecimal digits in a short fingerprint.
_SHORT_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A migration that was squashed into another: its id, and the hash of its text."""

    id: str
    text_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The recorded facts about one migration.

    Args:
        forward: the effects of applying the migration.
        rollback: the effects of rolling the migration back.
        catalog: the short fingerprint of the catalog after the migration; None if unknown.
        by_hand: whether a person wrote or edited the migration. If so, the facts were derived from its SQL.
        replaces: the migrations that were squashed into this one, in their original order.
    """

    forward: Effects = WORST_CASE
    rollback: Effects = WORST_CASE
    catalog: str | None = None
    by_hand: bool = False
    replaces: tuple[Replaced, ...] = ()


UNKNOWN = Facts()


def short_fingerprint(fingerprint: str) -> str:
    """Return the first digits of a fingerprint, which are enough to identify the catalog."""
    return fingerprint.partition(":")[2][:_SHORT_LENGTH]


def entry_values(facts: Facts) -> dict[str, Any]:
    """Return ``facts`` as keys and values of an entry in the manifest."""
    forward = _effects_text(facts.forward, loses=facts.forward.loses)
    back = "" if facts.rollback == WORST_CASE else f" | {_effects_text(facts.rollback, loses=False)}".rstrip()
    catalog = {} if facts.catalog is None else {"catalog": facts.catalog}
    by_hand = {"by_hand": True} if facts.by_hand else {}
    replaces = {"replaces": [f"{one.text_hash} {one.id}" for one in facts.replaces]} if facts.replaces else {}
    return {"facts": forward + back, **by_hand, **replaces, **catalog}


def _effects_text(effects: Effects, *, loses: bool) -> str:
    """Return ``effects`` as words; after a word, ``=`` and a list of percent-encoded names may follow."""
    words = [_ANY] if effects.tables is None else []
    names: dict[str, list[str]] = {}
    for name, cost in effects.tables or ():
        names.setdefault(cost.value, []).append(quote(name, safe=""))
    words += [f"{cost}={','.join(found)}" for cost, found in names.items()]
    if effects.is_known:
        words += [name for name in _FLAGS if getattr(effects, name)] + ([_LOSES] if loses else [])
    if effects.hazards:
        words.append(f"{_HAZARDS}=" + ",".join(quote(str(hazard), safe="") for hazard in effects.hazards))
    return " ".join(words)


def facts_in(entry: dict[str, Any]) -> Facts:
    """Return the facts in an entry of the manifest.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: the entry is not what :func:`entry_values` returns.
    """
    catalog = entry.get("catalog")
    if not isinstance(catalog, str | None):
        raise TypeError(f"{catalog!r} is not text")
    forward, bar, back = entry["facts"].partition("|")
    rollback = _parsed_effects(back, always_loses=True) if bar else WORST_CASE
    replaced = (text.partition(" ") for text in entry.get("replaces", ()))
    by_hand = entry.get("by_hand", False)
    if not isinstance(by_hand, bool):
        raise TypeError(f"{by_hand!r} is neither true nor false")
    return Facts(
        forward=_parsed_effects(forward, always_loses=False),
        rollback=rollback,
        catalog=catalog,
        by_hand=by_hand,
        replaces=tuple(Replaced(id=name, text_hash=text_hash) for text_hash, _, name in replaced),
    )


def _parsed_effects(text: str, *, always_loses: bool) -> Effects:
    tables: list[tuple[str, Cost]] = []
    hazards: list[AnnouncedHazard] = []
    flags: set[str] = set()
    for word in text.split():
        key, equals, listed = word.partition("=")
        names = [unquote(name) for name in listed.split(",")] if equals else []
        if key == _HAZARDS:
            pairs = (name.partition(" ") for name in names)
            hazards += [AnnouncedHazard(code=code, where=where) for code, _, where in pairs]
        elif equals:
            tables += [(name, Cost(key)) for name in names]
        elif word in (*_FLAGS, _LOSES, _ANY):
            flags.add(word)
        else:
            raise ValueError(f"{word!r} is not a fact")
    if _ANY in flags:
        return replace(WORST_CASE, hazards=tuple(hazards))
    return Effects(
        tables=tuple(tables),
        changes_rows="changes_rows" in flags,
        changes_keys="changes_keys" in flags,
        loses=always_loses or _LOSES in flags,
        hazards=tuple(hazards),
    )
