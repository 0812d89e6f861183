"""Show what each migration changed: a picture of the schema after the migration, with marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from waiaas_migrate.drawing.cards import Mark, Picture, Relation, Row, picture_of
from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.describe import describe_made
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A migration: its name, the schema after it, and the changes that it made."""

    name: str
    after: Schema
    changes: tuple[c.Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A change in words, the key of the card that shows the change, and the mark on the card."""

    words: str
    card: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The picture after a migration, with marks on its changes, and the changes in words.

    A card keeps its key when its table is renamed, so the keys are not the names of the tables.
    """

    name: str
    picture: Picture
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The moments in order, and the current picture, with the same keys and no marks."""

    moments: tuple[Moment, ...]
    now: Picture


def history_of(schema: Schema, steps: Iterable[Step]) -> History:
    """Return the history of ``steps``, with ``schema`` as the current schema."""
    keys: dict[str, str] = {}
    count = 0
    moments = []
    before = Picture(cards={}, relations=())
    for step in steps:
        old_keys = dict(keys)
        for change in step.changes:
            if isinstance(change, c.RenameTable):
                keys[fold(change.new)] = keys.pop(fold(change.old))
        after = picture_of(step.after)
        for name in after.cards:
            if name not in keys:
                keys[name] = f"{name} {(count := count + 1)}"
        moments.append(_moment(step, before, after, old_keys, keys))
        before = after
        keys = {name: key for name, key in keys.items() if name in after.cards}
    now = picture_of(schema)
    return History(moments=tuple(moments), now=_rekeyed(now, {name: keys.get(name, name) for name in now.cards}))


def _rekeyed(picture: Picture, keys: Mapping[str, str]) -> Picture:
    relations = (replace(r, child=keys[r.child], parent=keys[r.parent]) for r in picture.relations)
    cards = {keys[name]: card for name, card in picture.cards.items()}
    return Picture(cards=cards, relations=tuple(relations))


def _moment(
    step: Step, before: Picture, after: Picture, old_keys: Mapping[str, str], keys: Mapping[str, str]
) -> Moment:
    """Return the moment of ``step``, from the pictures before and after it.

    ``old_keys`` and ``keys`` map the folded names of tables to the keys of cards, before and after the step.
    """
    picture = _rekeyed(after, keys)
    cards = dict(picture.cards)
    notes = []
    for change in step.changes:
        name = _card_name(change)
        mark = _mark(change)
        key = old_keys[name] if mark is Mark.REMOVED and name not in after.cards else keys[name]
        notes.append(Note(words=describe_made(change), card=key, mark=mark))
        if name in after.cards:
            card = cards[key]
            card_mark = mark if isinstance(change, c.AddTable | c.AddObject) else card.mark or Mark.CHANGED
            cards[key] = replace(card, mark=card_mark, rows=_marked_rows(card.rows, change))
        elif mark is Mark.REMOVED:
            cards[key] = replace(before.cards[name], mark=mark)
    renamed = {(keys[fold(r.table)], fold(r.old)): fold(r.new) for r in step.changes if isinstance(r, c.RenameColumn)}
    relations = _marked_relations(_rekeyed(before, old_keys).relations, picture.relations, renamed)
    return Moment(name=step.name, picture=Picture(cards=cards, relations=tuple(relations)), notes=tuple(notes))


def _marked_relations(
    old: Iterable[Relation], new: Iterable[Relation], renamed: Mapping[tuple[str, str], str]
) -> Iterator[Relation]:
    """Yield ``new``, then the relations that only ``old`` has; mark what was added or removed.

    ``renamed`` maps the key of a card and the old name of a column to the column's new name.
    """
    old_by_ends = {_ends(relation, renamed): relation for relation in old}
    for relation in new:
        is_old = old_by_ends.pop(_ends(relation, {}), None) is not None
        yield relation if is_old else replace(relation, mark=Mark.ADDED)
    yield from (replace(relation, mark=Mark.REMOVED) for relation in old_by_ends.values())


def _ends(relation: Relation, renamed: Mapping[tuple[str, str], str]) -> tuple[object, ...]:
    columns = tuple(renamed.get((relation.child, name), name) for name in relation.columns)
    return relation.child, columns, relation.parent


def _mark(change: c.Change) -> Mark:
    kind = type(change).__name__
    if kind.startswith("Add"):
        return Mark.ADDED
    return Mark.REMOVED if kind.startswith("Drop") else Mark.CHANGED


def _card_name(change: c.Change) -> str:
    """Return the folded name of the table, view or virtual table whose card shows ``change``."""
    match change:
        case c.AddObject(new=item) | c.DropObject(old=item) | c.ModifyObject(new=item):
            return fold(getattr(item, "table", item.name))
        case c.AddTable() | c.DropTable() | c.RenameTable() | c.ModifyTableOptions() | c.InTable():
            return fold(c.spelled_name(change))
        case _:
            assert_never(change)


def _marked_rows(rows: tuple[Row, ...], change: c.Change) -> tuple[Row, ...]:
    """Return ``rows`` with marks on the columns that ``change`` concerns; add a dropped column."""
    if isinstance(change, c.DropColumn):
        return (*rows, Row(name=change.old.name, type=change.old.type or "", mark=Mark.REMOVED))
    mark = Mark.ADDED if isinstance(change, c.AddColumn) else Mark.CHANGED
    names = set(map(fold, _columns(change)))
    return tuple(replace(row, mark=row.mark or mark) if fold(row.name) in names else row for row in rows)


def _columns(change: c.Change) -> Iterator[str]:
    """Yield the names of the columns that ``change`` concerns."""
    match change:
        case c.AddColumn(new=column) | c.ModifyColumn(new=column):
            yield column.name
        case c.RenameColumn(new=name):
            yield name
        case c.AddCheck(new=check) | c.DropCheck(old=check) | c.ModifyCheck(new=check):
            yield check.column or (check.allowed.column if check.allowed else "")
        case c.AddForeignKey(new=key) | c.DropForeignKey(old=key) | c.ModifyForeignKey(new=key):
            yield from key.columns
        case c.AddUnique(new=unique) | c.DropUnique(old=unique):
            yield from unique.columns
        case c.ModifyPrimaryKey(old=before, new=after):
            yield from (column for key in (before, after) if key for column in key.columns)
        case _:
            return
