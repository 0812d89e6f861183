"""Derive relationships between classes from the foreign keys of their tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from waiaas_migrate.commands.typed_tables.models import USED, Attribute, Model
from waiaas_migrate.commands.typed_tables.names import attribute_name, snake_case
from waiaas_migrate.commands.typed_tables.python_text import Call, Code, call, quoted
from waiaas_migrate.schema.names import fold

_ID = re.compile(r"(?:_id|_fk|(?<=[a-z])I[dD])$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """An attribute that leads from rows of the class ``owner`` to rows of another."""

    owner: str
    name: str
    annotation: str
    code: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """A foreign key between two classes, and the names of the relationships on both sides."""

    child: Model
    parent: Model
    columns: tuple[Attribute, ...]
    targets: tuple[Attribute, ...]
    forward: str = ""
    backward: str = ""

    @property
    def is_own(self) -> bool:
        return self.child is self.parent

    @property
    def classes(self) -> frozenset[str]:
        return frozenset((self.child.name, self.parent.name))

    @property
    def is_one_to_one(self) -> bool:
        """Return whether the child's columns contain a unique key, so that a parent has one child at most."""
        own = {fold(one.column.name) for one in self.columns}
        return any({fold(part.column or "") for part in parts} <= own for parts in self.child.table.unique_keys)

    @property
    def stem(self) -> str:
        """Return what the foreign key's column calls the parent; "" if that is the column's own name.

        Of several columns, only one may differ from its target: ``parent_id`` in (tenant, parent_id) to (tenant, id).
        """
        pairs = zip(self.columns, self.targets, strict=True)
        own = [one.name for one, target in pairs if len(self.columns) == 1 or one.name != target.name]
        name = own[0] if len(own) == 1 else ""
        stem = _ID.sub("", name)
        return snake_case(stem) if stem != name else ""


def relationships(models: Iterable[Model]) -> tuple[Relationship, ...]:
    """Return both sides of every foreign key between classes."""
    links = _named(tuple(_links(tuple(model for model in models if model.is_class))))
    pairs = Counter(link.classes for link in links)
    sides = (_both_sides(link, links, is_ambiguous=pairs[link.classes] > 1) for link in links)
    return tuple(chain.from_iterable(sides))


def _links(models: tuple[Model, ...]) -> Iterator[_Link]:
    by_table = {fold(model.table.name): model for model in models}
    seen = set()
    for child in models:
        for key in child.table.foreign_keys:
            parent = by_table.get(fold(key.table))
            if parent is None:
                continue
            columns = tuple(filter(None, map(child.attribute, key.columns)))
            targets = parent.targets(key)
            identity = (child.name, parent.name, tuple(one.name for one in columns))
            if targets and identity not in seen:
                seen.add(identity)
                yield _Link(child=child, parent=parent, columns=columns, targets=targets)


def _named(links: tuple[_Link, ...]) -> tuple[_Link, ...]:
    """Return ``links`` with names that are free in their classes."""
    models = {model.name: model for link in links for model in (link.child, link.parent)}
    taken = {name: {*USED, *models, *(one.name for one in model.attributes)} for name, model in models.items()}
    several = Counter((link.child.name, link.parent.name) for link in links)
    found = []
    for link in links:
        parent, prefix = snake_case(link.parent.name), link.stem or link.columns[0].name
        forward = _free([link.stem or parent, f"{prefix}_{parent}"], taken[link.child.name])
        taken[link.child.name].add(forward)
        children = snake_case(link.child.name if link.is_one_to_one else link.child.table.name)
        is_ambiguous = several[link.child.name, link.parent.name] > 1 or link.is_own
        choices = [*([] if is_ambiguous else [children]), f"{prefix}_{children}"]
        if link.is_own and link.stem == "parent":
            choices = ["child" if link.is_one_to_one else "children", *choices]
        backward = _free(choices, taken[link.parent.name])
        taken[link.parent.name].add(backward)
        found.append(replace(link, forward=forward, backward=backward))
    return tuple(found)


def _free(choices: list[str], taken: set[str]) -> str:
    """Return the first of ``choices`` that is free; the last with underscores if none is."""
    return next((one for one in choices if attribute_name(one, taken) == one), attribute_name(choices[-1], taken))


def _both_sides(link: _Link, links: Iterable[_Link], *, is_ambiguous: bool) -> Iterator[Relationship]:
    keys = _attributes(link.child, link.columns) if is_ambiguous else None
    overlaps = _overlaps(link, links)

    def side(owner: Model, name: str, annotation: str, **options: Code | None) -> Relationship:
        code = call("relationship", foreign_keys=keys, **options, overlaps=overlaps, init=False)
        return Relationship(owner=owner.name, name=name, annotation=annotation, code=code)

    child, parent = link.child.name, link.parent.name
    yield side(
        link.child,
        link.forward,
        f"{parent} | None" if any(one.accepts_none for one in link.columns) else parent,
        remote_side=_attributes(link.parent, link.targets) if link.is_own else None,
        back_populates=quoted(link.backward),
    )
    yield side(
        link.parent,
        link.backward,
        f"{child} | None" if link.is_one_to_one else f"list[{child}]",
        back_populates=quoted(link.forward),
        # The database does what ON DELETE says; SQLAlchemy must not set keys to NULL first.
        passive_deletes='"all"',
    )


def _attributes(model: Model, attributes: tuple[Attribute, ...]) -> Code:
    """Return attributes in a string, which SQLAlchemy evaluates when all classes exist."""
    names = ", ".join(f"{model.name}.{one.name}" for one in attributes)
    return quoted(names if len(attributes) == 1 else f"[{names}]")


def _overlaps(link: _Link, links: Iterable[_Link]) -> Code | None:
    """Return the relationships by other foreign keys that share a column, so that both write it."""
    own = {one.name for one in link.columns}
    others = [
        other
        for other in links
        if other is not link and other.child is link.child and not own.isdisjoint(one.name for one in other.columns)
    ]
    names = dict.fromkeys(name for other in others for name in (other.forward, other.backward))
    return quoted(",".join(names)) if names else None
