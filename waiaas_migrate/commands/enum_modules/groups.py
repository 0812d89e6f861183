"""Group the names of each enum: its class or type, and its list."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from waiaas_migrate.commands.typed_tables.names import singular
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition
from waiaas_migrate.files.enum_sources.words import split_words, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumGroup:
    """An enum with its names: a class or type, a list, or both.

    ``members`` are the names of its values in a class; empty if it has none.
    """

    values: tuple[str | int, ...]
    type_name: str = ""
    list_name: str = ""
    members: tuple[str, ...] = ()

    @property
    def kinds(self) -> set[type]:
        """Return the types of the values: ``str``, ``int`` or both."""
        return {type(value) for value in self.values}


def grouped(definitions: Iterable[EnumDefinition]) -> tuple[EnumGroup, ...]:
    """Return the enums in their order; a list gets a name for a type if it has none and that name is free.

    A list and a type are one enum if they have the same values and words, such as ``CHAIN_TYPES`` and ``ChainType``.
    """
    groups: dict[object, EnumGroup] = {}
    by_name = {one.name: one for one in definitions if not one.problem}
    for one in by_name.values():
        key: object = (one.values, words_of(one.name))
        group = groups.get(key, EnumGroup(values=one.values))
        if group.list_name if one.shape == "list" else group.type_name:  # a second name of the same kind
            key, group = one.name, EnumGroup(values=one.values)
        if one.shape == "list":
            groups[key] = replace(group, list_name=one.name)
        else:
            groups[key] = replace(group, type_name=one.name, members=one.members)
    taken = set(by_name)
    return tuple(_with_type(group, taken) for group in groups.values())


def _with_type(group: EnumGroup, taken: set[str]) -> EnumGroup:
    *words, last = split_words(group.list_name) or ("",)
    name = "".join(word.capitalize() for word in (*words, singular(last)))
    if group.type_name or not name.isidentifier() or name in taken:
        return group
    taken.add(name)
    return replace(group, type_name=name)


def wrapped(opening: str, items: Sequence[str], closing: str, *, indent: str, longest: int) -> str:
    """Return a list on one line, or on several if that is longer than ``longest``."""
    line = f"{opening}{', '.join(items)}{closing}"
    if len(line) <= longest:
        return line
    return "\n".join([opening, *(f"{indent}{item}," for item in items), closing.lstrip(",")])


def unique(names: Iterable[str], taken: Collection[str] = ()) -> tuple[str, ...]:
    """Return ``names``; a name that is taken already gets a number."""
    seen = set(taken)
    found: list[str] = []
    for name in names:
        number, one = 1, name
        while one in seen:
            number += 1
            one = f"{name}_{number}"
        seen.add(one)
        found.append(one)
    return tuple(found)
