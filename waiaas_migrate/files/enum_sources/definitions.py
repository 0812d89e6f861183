"""The enums of an application: their values and places, and the problems of names that can't be enums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.problem_report import Origin, shown, suggestion
from waiaas_migrate.files.yaml_text.scalars import LARGEST_INTEGER, SMALLEST_INTEGER

#: The form of a definition: ``class`` is an enum class or an object with named members, ``list`` a list or tuple,
#: ``type`` a type, such as a union of literals, and ``other`` anything that can't be an enum.
Shape = Literal["class", "list", "type", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumDefinition:
    """A name in a source of enums.

    Args:
        source: the module or file, as schema.yaml spells it.
        module: the Python module to import the name from; empty if there is none.
        at: the place of the definition or the problem.
        places: the places of the values; empty if they are not known.
        members: the names of the members if the shape is ``class``. SQLAlchemy stores names by default.
        shape: the form of the definition.
        problem: the reason that the name can't be used as an enum; empty if it can.
        fix: what to do about the problem.
    """

    name: str
    source: str
    at: Origin
    values: tuple[str | int, ...] = ()
    places: tuple[Origin, ...] = ()
    members: tuple[str, ...] = ()
    shape: Shape = "list"
    problem: str = ""
    fix: str = ""
    module: str = ""

    def place_of(self, value: str | int) -> Origin:
        """Return the place of a value or a member's name; the place of the enum if that place is unknown."""
        by_member = dict(zip(self.members, self.places, strict=False))
        return dict(zip(self.values, self.places, strict=False)).get(value) or by_member.get(str(value), self.at)

    def as_problem(self) -> Problem:
        """Return the ``problem`` of this definition, which must not be empty, as a problem to report."""
        at = replace(self.at, path=self.name)
        return at.problem(f"can't be an enum: {self.problem}.", self.fix or "Correct it there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEnums:
    """The enums that the sources define: all of them, or at least those that schema.yaml uses."""

    sources: tuple[str, ...] = ()
    definitions: tuple[EnumDefinition, ...] = ()

    def find(self, name: str) -> EnumDefinition | None:
        """Return the definition of ``name``, with a ``problem`` if it is unusable; None if no source defines it."""
        found = [definition for definition in self.definitions if definition.name == name]
        if len({definition.values for definition in found}) > 1:
            problem = "it has different values in " + " and ".join(f"`{definition.source}`" for definition in found)
            first, fix = found[0], "Rename one of them."
            return EnumDefinition(name=name, source=first.source, at=first.at, problem=problem, fix=fix)
        return found[0] if found else None

    def usable(self) -> tuple[str, ...]:
        """Return the names that schema.yaml can use as enums."""
        return tuple(definition.name for definition in self.definitions if not definition.problem)


def value_list_problem(values: Sequence[str | int]) -> str:
    """Return the reason that a CHECK can't list ``values``; an empty string if a CHECK can list them."""
    if not values:
        return "it has no values"
    seen: set[str | int] = set()
    for value in values:
        if value in seen:
            return f"its value {shown(repr(value))} appears twice"
        seen.add(value)
        if isinstance(value, int):
            if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
                return f"its value {value} does not fit into SQLite's 64 bits"
        elif "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            return f"its value {shown(repr(value))} contains a character that SQL text can't hold"
    return ""


def unknown_enum(name: str, enums: LoadedEnums) -> tuple[str, str]:
    """Return the problem of a reference to the undefined enum ``name``, and the fix."""
    if not enums.sources:
        fix = "Name the module or file that defines it, such as `enums: app.enums` or `enums: src/enums.ts`."
        return f"unknown enum `{name}`.", fix
    where = " or ".join(f"`{source}`" for source in enums.sources)
    return f"unknown enum `{name}`.", suggestion(name, enums.usable(), f"Define it in {where}.")
