"""Find the definitions that are the same enum, for the modules that ``enums`` generates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from waiaas_migrate.commands.typed_tables.names import singular
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition
from waiaas_migrate.files.enum_sources.words import split_words, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumGroup:
    """An enum with the names of its definitions: a class or type, a list, or both.

    ``members`` are the names of the values in the class. A name is empty if there is no such definition.
    """

    values: tuple[str | int, ...]
    type_name: str = ""
    list_name: str = ""
    members: tuple[str, ...] = ()

    @property
    def kinds(self) -> set[type]:
        """Return the types of the values: ``str``, ``int`` or both."""
        return {type(value) for value in self.values}


def group_enums(definitions: Iterable[EnumDefinition]) -> tuple[EnumGroup, ...]:
    """Return the enums that ``definitions`` define, in the same order.

    A list and a type are one enum if they have the same values, and the same words in their names, such as
    ``CHAIN_TYPES`` and ``ChainType``. A list without a type gets a name for a type, unless that name is taken.
    """
    groups: dict[object, EnumGroup] = {}
    by_name = {definition.name: definition for definition in definitions if not definition.problem}
    for name, definition in by_name.items():
        key: object = (definition.values, words_of(name))
        group = groups.get(key, EnumGroup(values=definition.values))
        if group.list_name if definition.shape == "list" else group.type_name:  # a second list, or a second type
            key, group = name, EnumGroup(values=definition.values)
        if definition.shape == "list":
            groups[key] = replace(group, list_name=name)
        else:
            groups[key] = replace(group, type_name=name, members=definition.members)
    taken = set(by_name)
    return tuple(_with_type_name(group, taken) for group in groups.values())


def _with_type_name(group: EnumGroup, taken: set[str]) -> EnumGroup:
    *words, last = split_words(group.list_name) or ("",)
    name = "".join(word.capitalize() for word in (*words, singular(last)))
    if group.type_name or not name.isidentifier() or name in taken:
        return group
    taken.add(name)
    return replace(group, type_name=name)


def wrap_items(opening: str, items: Sequence[str], closing: str, *, indent: str, width: int) -> str:
    """Return ``items`` on one line, or each on its own line if one line would be longer than ``width``."""
    line = f"{opening}{', '.join(items)}{closing}"
    if len(line) <= width:
        return line
    return "\n".join([opening, *(f"{indent}{item}," for item in items), closing.lstrip(",")])
