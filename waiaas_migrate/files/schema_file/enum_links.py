"""Link the lists of values in a schema's CHECKs to the application's enums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.files.enum_sources.definitions import LoadedEnums
from waiaas_migrate.files.enum_sources.words import words_of
from waiaas_migrate.files.problem_report import listed
from waiaas_migrate.files.schema_file.column_text import EnumReference, is_usable_list
from waiaas_migrate.files.schema_file.schema_text import Links, with_lists_on_columns
from waiaas_migrate.schema.enum_lists import literal
from waiaas_migrate.schema.model import Check, Column, Schema, Table
from waiaas_migrate.schema.names import fold

#: If a list and an enum have fewer values in common, they count as almost equal only if their names are similar.
_FEW = 2
_BOOLEAN = frozenset({0, 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumLinks:
    """The lists that are linked to enums, and a sentence for each list that almost equals an enum."""

    links: Links
    remarks: tuple[str, ...] = ()


class _Candidate(NamedTuple):
    """An enum that lists are compared with: its values, or the names of its members."""

    name: str
    source: str
    values: frozenset[str | int]
    by_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueList:
    """A list of values: its table, its column, and the CHECK that holds it."""

    table: Table
    column: Column
    check: Check

    @property
    def where(self) -> str:
        """Return the column as ``table.column``."""
        return f"{self.table.name}.{self.column.name}"

    @property
    def values(self) -> frozenset[str | int]:
        """Return the values without their order."""
        return frozenset(self.check.allowed.values if self.check.allowed is not None else ())

    def likeness(self, enum: _Candidate) -> tuple[int, int]:
        """Count the words of the enum's name that the list's names have, and (negated) those they lack."""
        own = words_of(self.table.name, self.column.name, self.check.name or "")
        words = words_of(enum.name)
        return len(words & own), -len(words - own)


def link_enums(schema: Schema, loaded: LoadedEnums) -> EnumLinks:
    """Link each list of values in ``schema`` to the enum with the same values.

    If several enums have the same values, take the one whose name is most similar to the names of the table, the column
    and the CHECK.
    """
    enums = tuple(_usable(loaded))
    links: dict[tuple[str, str], EnumReference] = {}
    remarks: list[str] = []
    for one in value_lists(schema):
        same = [enum for enum in enums if enum.values == one.values]
        if one.values == _BOOLEAN:  # many enums have these two values by chance
            same = [enum for enum in same if one.likeness(enum)[0]]
        chosen = _best_matches(one, same)
        if len(chosen) == 1:
            links[fold(one.table.name), fold(one.column.name)] = EnumReference(chosen[0].name, chosen[0].by_names)
        elif chosen:
            names = listed(sorted(enum.name for enum in chosen))
            remarks.append(f"{one.where}: {names} have the same values. Write `enum: NAME` with the one that is meant.")
        else:
            remarks += _near_misses(one, enums)
    return EnumLinks(links=links, remarks=tuple(remarks))


def _usable(loaded: LoadedEnums) -> Iterator[_Candidate]:
    """Yield the lists that schema.yaml can refer to: each enum's values, and its member names if they differ."""
    for name in dict.fromkeys(definition.name for definition in loaded.definitions):
        enum = loaded.find(name)
        if enum is not None and not enum.problem:
            yield _Candidate(name, enum.source, frozenset(enum.values))
        if enum is not None and enum.members and set(enum.members) != set(enum.values):
            yield _Candidate(name, enum.source, frozenset(enum.members), by_names=True)


def value_lists(schema: Schema) -> Iterator[ValueList]:
    """Yield the list of each column that has one: the first of its CHECKs that is a list."""
    for table in map(with_lists_on_columns, schema.tables):
        for column in table.columns:
            own = [check for check in table.checks if fold(check.column or "") == fold(column.name)]
            found = next((check for check in own if is_usable_list(check, column)), None)
            if found is not None:
                yield ValueList(table=table, column=column, check=found)


def _best_matches(one: ValueList, enums: Sequence[_Candidate]) -> list[_Candidate]:
    """Return the enum whose name fits best, or several if they fit equally well."""
    if len(enums) < _FEW:
        return list(enums)
    best = max(one.likeness(enum) for enum in enums)
    found = [enum for enum in enums if one.likeness(enum) == best] if best[0] else list(enums)
    if len({words_of(enum.name) for enum in found}) == 1:
        # A class and a constant made from it, such as Status and STATUSES. The constant is preferred.
        return [min(found, key=lambda enum: (enum.by_names, not enum.name.isupper()))]
    return found


def _near_misses(one: ValueList, enums: Iterable[_Candidate]) -> Iterator[str]:
    """Yield a sentence for the enums that differ from the list by one value."""
    near: dict[frozenset[str | int], list[_Candidate]] = {}
    for enum in enums:
        is_alike = len(enum.values & one.values) >= _FEW or one.likeness(enum)[0] > 0
        if len(enum.values ^ one.values) == 1 and is_alike:
            near.setdefault(enum.values, []).append(enum)
    for values, found in near.items():
        (enum, *_) = _best_matches(one, found)
        (value,) = values ^ one.values
        differs = f"lacks {literal(value)}" if value in values else f"also has {literal(value)}"
        fix = f"To use the enum, write `{_declaration(one, enum)}` and run `generate`."
        yield f"{one.where}: its list is almost {enum.name} of {enum.source}, but {differs}. {fix}"


def _declaration(one: ValueList, enum: _Candidate) -> str:
    fields = {"name": enum.name}
    fields |= {"stores": "names"} if enum.by_names else {}
    fields |= {} if one.check.name is None else {"constraint": one.check.name}
    listed_fields = ", ".join(f"{key}: {value}" for key, value in fields.items())
    return f"enum: {enum.name}" if len(fields) == 1 else f"enum: {{{listed_fields}}}"
