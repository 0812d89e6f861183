"""Find the application's enum for each CHECK that lists a column's values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from waiaas_migrate.files.enum_sources.definitions import LoadedEnums
from waiaas_migrate.files.enum_sources.words import words_of
from waiaas_migrate.files.problem_report import listed
from waiaas_migrate.files.schema_file.schema_text import EnumReference, Links, is_usable_list, with_lists_on_columns
from waiaas_migrate.schema.enum_lists import literal
from waiaas_migrate.schema.model import Check, Column, Schema, Table
from waiaas_migrate.schema.names import fold

#: A list and an enum that share fewer values count as almost equal only if their names are similar.
_ENOUGH_SHARED_VALUES = 2
_BOOLEAN = frozenset({0, 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumLinks:
    """References to enums by column, and remarks on ambiguous and near matches."""

    links: Links
    remarks: tuple[str, ...] = ()


class _Candidate(NamedTuple):
    """An enum to compare lists with, by its values or by the names of its members."""

    name: str
    source: str
    values: frozenset[str | int]
    by_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueList:
    """A CHECK that lists the values of a column."""

    table: Table
    column: Column
    check: Check

    @property
    def where(self) -> str:
        """Return the column as ``table.column``."""
        return f"{self.table.name}.{self.column.name}"

    @property
    def values(self) -> frozenset[str | int]:
        """Return the listed values."""
        return frozenset(self.check.allowed.values if self.check.allowed is not None else ())

    def name_similarity(self, enum: _Candidate) -> tuple[int, int]:
        """Return how many words of the enum's name the list's names have, and minus the number of the other words."""
        context = words_of(self.table.name, self.column.name, self.check.name or "")
        words = words_of(enum.name)
        return len(words & context), -len(words - context)


def link_enums(schema: Schema, loaded: LoadedEnums) -> EnumLinks:
    """Link each list of values in ``schema`` to the enum with the same values.

    If several enums have the same values, take the one whose name is most similar to the names of the table, the column
    and the CHECK.
    """
    enums = tuple(_candidates(loaded))
    links: dict[tuple[str, str], EnumReference] = {}
    remarks: list[str] = []
    for listing in value_lists(schema):
        same = [enum for enum in enums if enum.values == listing.values]
        if listing.values == _BOOLEAN:  # many enums have these two values by chance
            same = [enum for enum in same if listing.name_similarity(enum)[0]]
        chosen = _best_matches(listing, same)
        if len(chosen) == 1:
            column = fold(listing.table.name), fold(listing.column.name)
            links[column] = EnumReference(chosen[0].name, chosen[0].by_names)
        elif chosen:
            names = listed(sorted(enum.name for enum in chosen))
            remarks.append(
                f"{listing.where}: {names} have the same values. Write `enum: NAME` with the one that is meant."
            )
        else:
            remarks += _near_misses(listing, enums)
    return EnumLinks(links=links, remarks=tuple(remarks))


def _candidates(loaded: LoadedEnums) -> Iterator[_Candidate]:
    """Yield the values of each enum and, if they differ, the names of its members."""
    for name in dict.fromkeys(definition.name for definition in loaded.definitions):
        enum = loaded.find(name)
        if enum is not None and not enum.problem:
            yield _Candidate(name, enum.source, frozenset(enum.values))
        if enum is not None and enum.members and set(enum.members) != set(enum.values):
            yield _Candidate(name, enum.source, frozenset(enum.members), by_names=True)


def value_lists(schema: Schema) -> Iterator[ValueList]:
    """Yield the first CHECK of each column that lists its values."""
    for table in map(with_lists_on_columns, schema.tables):
        for column in table.columns:
            own = [check for check in table.checks if fold(check.column or "") == fold(column.name)]
            found = next((check for check in own if is_usable_list(check, column)), None)
            if found is not None:
                yield ValueList(table=table, column=column, check=found)


def _best_matches(listing: ValueList, enums: Sequence[_Candidate]) -> list[_Candidate]:
    """Return the enum with the most similar name; several if there is a tie."""
    if not enums:
        return []
    best = max(listing.name_similarity(enum) for enum in enums)
    found = [enum for enum in enums if listing.name_similarity(enum) == best] if best[0] else list(enums)
    if len({words_of(enum.name) for enum in found}) == 1:
        # A class and a constant made from it, such as Status and STATUSES. Prefer the constant.
        return [min(found, key=lambda enum: (enum.by_names, not enum.name.isupper()))]
    return found


def _near_misses(listing: ValueList, enums: Iterable[_Candidate]) -> Iterator[str]:
    """Yield a remark on each similar enum that differs from the list by one value."""
    near: dict[frozenset[str | int], list[_Candidate]] = {}
    for enum in enums:
        is_similar = len(enum.values & listing.values) >= _ENOUGH_SHARED_VALUES or listing.name_similarity(enum)[0] > 0
        if len(enum.values ^ listing.values) == 1 and is_similar:
            near.setdefault(enum.values, []).append(enum)
    for values, found in near.items():
        (enum, *_) = _best_matches(listing, found)
        (value,) = values ^ listing.values
        differs = f"lacks {literal(value)}" if value in values else f"also has {literal(value)}"
        fix = f"To use the enum, write `{_declaration(listing, enum)}` and run `generate`."
        yield f"{listing.where}: its list is almost {enum.name} of {enum.source}, but {differs}. {fix}"


def _declaration(listing: ValueList, enum: _Candidate) -> str:
    fields = {"name": enum.name}
    fields |= {"stores": "names"} if enum.by_names else {}
    fields |= {} if listing.check.name is None else {"constraint": listing.check.name}
    listed_fields = ", ".join(f"{key}: {value}" for key, value in fields.items())
    return f"enum: {enum.name}" if len(fields) == 1 else f"enum: {{{listed_fields}}}"
