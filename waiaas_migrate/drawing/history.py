"""What each migration changed, as pictures with marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from waiaas_migrate.drawing.cards import Mark, Picture, Relation, Row, picture_of
from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.describe import describe_made
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A migration: the schema after it, and the changes that it made to that after the step before."""

    name: str
    after: Schema
    changes: tuple[c.Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A change in words, the key of its card, and its mark."""

    words: str
    card: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The picture after a migration, with what it changed. A card keeps its key when its table is renamed."""

    name: str
    picture: Picture
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The moments, and the picture of the schema at the end, with the same keys and no marks."""

    moments: tuple[Moment, ...]
    now: Picture


def history_of(schema: Schema, steps: Iterable[Step]) -> History:
    """Return the history that ends with ``schema``."""
    keys: dict[str, str] = {}
    count = 0
    moments = []
    old = Picture(cards={}, relations=())
    for step in steps:
        before = dict(keys)
        for change in step.changes:
            if isinstance(change, c.RenameTable):
                keys[fold(change.new)] = keys.pop(fold(change.old))
        after = picture_of(step.after)
        for name in after.cards:
            if name not in keys:
                keys[name] = f"{name} {(count := count + 1)}"
        moments.append(_moment(step, old, after, before, keys))
        old = after
        keys = {name: key for name, key in keys.items() if name in after.cards}
    now = picture_of(schema)
    return History(moments=tuple(moments), now=_rekeyed(now, {name: keys.get(name, name) for name in now.cards}))


def _rekeyed(picture: Picture, keys: Mapping[str, str]) -> Picture:
    relations = (replace(r, child=keys[r.child], parent=keys[r.parent]) for r in picture.relations)
    cards = {keys[name]: card for name, card in picture.cards.items()}
    return Picture(cards=cards, relations=tuple(relations))


def _moment(step: Step, old: Picture, after: Picture, before: Mapping[str, str], keys: Mapping[str, str]) -> Moment:
    """Return the picture ``after`` a step with marks; ``before`` and ``keys`` are the keys of cards then and now."""
    picture = _rekeyed(after, keys)
    cards = dict(picture.cards)
    notes = []
    for change in step.changes:
        name = _card_name(change)
        mark = _mark(change)
        key = before[name] if mark is Mark.REMOVED and name not in after.cards else keys[name]
        notes.append(Note(words=describe_made(change), card=key, mark=mark))
        if name in after.cards:
            whole = isinstance(change, c.AddTable | c.AddObject)
            card = cards[key]
            cards[key] = replace(
                card, mark=mark if whole else card.mark or Mark.CHANGED, rows=_marked(card.rows, change)
            )
        elif mark is Mark.REMOVED:
            cards[key] = replace(old.cards[name], mark=mark)
    renamed = {(keys[fold(r.table)], fold(r.old)): fold(r.new) for r in step.changes if isinstance(r, c.RenameColumn)}
    relations = _marked_relations(_rekeyed(old, before).relations, picture.relations, renamed)
    return Moment(name=step.name, picture=Picture(cards=cards, relations=tuple(relations)), notes=tuple(notes))


def _marked_relations(
    old: Iterable[Relation], new: Iterable[Relation], renamed: Mapping[tuple[str, str], str]
) -> Iterator[Relation]:
    """Yield the ``new`` relations with marks on those that are not in ``old``, and those that are gone.

    ``renamed`` has the new names of columns, by the key of their card and the old name.
    """
    before = {_ends(relation, renamed): relation for relation in old}
    for relation in new:
        is_old = before.pop(_ends(relation, {}), None) is not None
        yield relation if is_old else replace(relation, mark=Mark.ADDED)
    yield from (replace(relation, mark=Mark.REMOVED) for relation in before.values())


def _ends(relation: Relation, renamed: Mapping[tuple[str, str], str]) -> tuple[object, ...]:
    columns = tuple(renamed.get((relation.child, name), name) for name in relation.columns)
    return relation.child, columns, relation.parent


def _mark(change: c.Change) -> Mark:
    kind = type(change).__name__
    if kind.startswith("Add"):
        return Mark.ADDED
    return Mark.REMOVED if kind.startswith("Drop") else Mark.CHANGED


def _card_name(change: c.Change) -> str:
    """Return the folded name of the card that shows ``change``; a trigger is on that of its table."""
    match change:
        case c.AddObject(new=item) | c.DropObject(old=item) | c.ModifyObject(new=item):
            return fold(getattr(item, "table", item.name))
        case _:
            return fold(c.spelled_name(change))


def _marked(rows: tuple[Row, ...], change: c.Change) -> tuple[Row, ...]:
    """Return ``rows`` with marks on those that ``change`` is about, and with a dropped column at the end."""
    if isinstance(change, c.DropColumn):
        gone = Row(name=change.old.name, type=change.old.type or "", mark=Mark.REMOVED)
        return (*rows, gone)
    mark = Mark.ADDED if isinstance(change, c.AddColumn) else Mark.CHANGED
    names = set(map(fold, _columns(change)))
    return tuple(replace(row, mark=row.mark or mark) if fold(row.name) in names else row for row in rows)


def _columns(change: c.Change) -> Iterator[str]:
    match change:
        case c.AddColumn(new=column) | c.ModifyColumn(new=column):
            yield column.name
        case c.RenameColumn(new=name):
            yield name
        case c.AddCheck(new=check) | c.DropCheck(old=check) | c.ModifyCheck(new=check):
            yield check.column or (check.allowed.column if check.allowed else "")
        case c.AddForeignKey(new=key) | c.DropForeignKey(old=key) | c.ModifyForeignKey(new=key):
            yield from key.columns
        case c.AddUnique(new=keyed) | c.DropUnique(old=keyed):
            yield from keyed.columns
        case c.ModifyPrimaryKey(old=before, new=after):
            yield from (column for key in (before, after) if key for column in key.columns)
        case _:
            return
