"""Turn foreign keys into relationships: attributes of classes that lead to rows of another class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from waiaas_migrate.commands.typed_tables.models import USED_NAMES, Attribute, Model
from waiaas_migrate.commands.typed_tables.names import attribute_name, snake_case
from waiaas_migrate.commands.typed_tables.python_text import Call, Code, call, quoted
from waiaas_migrate.schema.names import fold

_ID = re.compile(r"(?:_id|_fk|(?<=[a-z])I[dD])$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """An attribute of the class ``owner``, called ``name``, and the code that defines it."""

    owner: str
    name: str
    annotation: str
    code: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """A foreign key from ``columns`` of the class ``child`` to ``targets`` of the class ``parent``.

    ``forward`` is the name of the relationship from child to parent, ``backward`` from parent to children.
    """

    child: Model
    parent: Model
    columns: tuple[Attribute, ...]
    targets: tuple[Attribute, ...]
    forward: str = ""
    backward: str = ""

    @property
    def is_to_same_table(self) -> bool:
        return self.child is self.parent

    @property
    def classes(self) -> frozenset[str]:
        return frozenset((self.child.name, self.parent.name))

    @property
    def is_one_to_one(self) -> bool:
        """Return whether a parent has at most one child, because the foreign key contains a unique key."""
        columns = {fold(attribute.column.name) for attribute in self.columns}
        return any({fold(part.column or "") for part in parts} <= columns for parts in self.child.table.unique_keys)

    @property
    def stem(self) -> str:
        """Return the column's name without its ending ``_id``, such as "author"; empty if it has no such ending.

        If the foreign key has several columns, exactly one must be named differently from its target, such as
        ``parent_id`` in (tenant, parent_id) to (tenant, id).
        """
        pairs = zip(self.columns, self.targets, strict=True)
        names = [column.name for column, target in pairs if len(self.columns) == 1 or column.name != target.name]
        name = names[0] if len(names) == 1 else ""
        stem = _ID.sub("", name)
        return snake_case(stem) if stem != name else ""


def relationships(models: Iterable[Model]) -> tuple[Relationship, ...]:
    """Return the two relationships of every foreign key between classes."""
    links = _with_names(tuple(_links(tuple(model for model in models if model.is_class))))
    pairs = Counter(link.classes for link in links)
    return tuple(side for link in links for side in _both_sides(link, links, is_ambiguous=pairs[link.classes] > 1))


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
            identity = (child.name, parent.name, tuple(column.name for column in columns))
            if targets and identity not in seen:
                seen.add(identity)
                yield _Link(child=child, parent=parent, columns=columns, targets=targets)


def _with_names(links: tuple[_Link, ...]) -> tuple[_Link, ...]:
    """Return ``links`` with names for their relationships that no other attribute of the class has."""
    models = {model.name: model for link in links for model in (link.child, link.parent)}
    taken = {name: {*USED_NAMES, *models, *(one.name for one in model.attributes)} for name, model in models.items()}
    links_between = Counter((link.child.name, link.parent.name) for link in links)
    named = []
    for link in links:
        parent, prefix = snake_case(link.parent.name), link.stem or link.columns[0].name
        forward = _first_free([link.stem or parent, f"{prefix}_{parent}"], taken[link.child.name])
        taken[link.child.name].add(forward)
        children = snake_case(link.child.name if link.is_one_to_one else link.child.table.name)
        is_ambiguous = links_between[link.child.name, link.parent.name] > 1 or link.is_to_same_table
        choices = [*([] if is_ambiguous else [children]), f"{prefix}_{children}"]
        if link.is_to_same_table and link.stem == "parent":
            choices = ["child" if link.is_one_to_one else "children", *choices]
        backward = _first_free(choices, taken[link.parent.name])
        taken[link.parent.name].add(backward)
        named.append(replace(link, forward=forward, backward=backward))
    return tuple(named)


def _first_free(choices: list[str], taken: set[str]) -> str:
    """Return the first of ``choices`` that is a free name; if there is none, the last one with underscores."""
    free = (choice for choice in choices if attribute_name(choice, taken) == choice)
    return next(free, attribute_name(choices[-1], taken))


def _both_sides(link: _Link, links: Iterable[_Link], *, is_ambiguous: bool) -> Iterator[Relationship]:
    """Yield the relationship of the child, then that of the parent.

    ``is_ambiguous``: another foreign key connects the two classes, so both relationships must name their columns.
    """
    keys = _attributes(link.child, link.columns) if is_ambiguous else None
    overlaps = _overlaps(link, links)

    def side(owner: Model, name: str, annotation: str, **options: Code | None) -> Relationship:
        code = call("relationship", foreign_keys=keys, **options, overlaps=overlaps, init=False)
        return Relationship(owner=owner.name, name=name, annotation=annotation, code=code)

    child, parent = link.child.name, link.parent.name
    yield side(
        link.child,
        link.forward,
        f"{parent} | None" if any(column.accepts_none for column in link.columns) else parent,
        remote_side=_attributes(link.parent, link.targets) if link.is_to_same_table else None,
        back_populates=quoted(link.backward),
    )
    yield side(
        link.parent,
        link.backward,
        f"{child} | None" if link.is_one_to_one else f"list[{child}]",
        back_populates=quoted(link.forward),
        # SQLite does what ON DELETE says; SQLAlchemy must not set the foreign key to NULL first.
        passive_deletes='"all"',
    )


def _attributes(model: Model, attributes: tuple[Attribute, ...]) -> Code:
    """Return the code of ``attributes`` as a string, which SQLAlchemy evaluates when all classes are defined."""
    names = ", ".join(f"{model.name}.{attribute.name}" for attribute in attributes)
    return quoted(names if len(attributes) == 1 else f"[{names}]")


def _overlaps(link: _Link, links: Iterable[_Link]) -> Code | None:
    """Return the other relationships that write a column of ``link``. SQLAlchemy warns if they aren't declared."""
    columns = {attribute.name for attribute in link.columns}
    siblings = [other for other in links if other is not link and other.child is link.child]
    others = [other for other in siblings if not columns.isdisjoint(one.name for one in other.columns)]
    names = dict.fromkeys(name for other in others for name in (other.forward, other.backward))
    return quoted(",".join(names)) if names else None
