"""The expressions that can define an enum, in any language.

They are named tuples, because an enum can have many values, and creating a frozen dataclass takes three times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

#: The line and the column of an expression, both counted from 1.
Position = tuple[int, int]


class Constant(NamedTuple):
    """A string or an integer."""

    value: str | int
    at: Position


class Items(NamedTuple):
    """A list, a tuple, or a union of literals."""

    items: tuple[Expression, ...]
    at: Position


class Members(NamedTuple):
    """An enum class or an object of constants: names with expressions. The name of a spread is empty."""

    entries: tuple[tuple[str, Expression], ...]
    at: Position


class Spread(NamedTuple):
    """All values of another expression, such as ``*STATES``, as part of a list or an object."""

    of: Expression
    at: Position


class Name(NamedTuple):
    """A reference, such as ``STATES`` or ``State.OPEN``."""

    parts: tuple[str, ...]
    at: Position


class Import(NamedTuple):
    """An imported name and its module, as the import spells them. An empty name means the module itself."""

    module: str
    name: str
    at: Position


class Computed(NamedTuple):
    """Any other expression; ``problem`` says why it can't be read, or is empty if its value is computed."""

    at: Position
    problem: str = ""


Expression = Constant | Items | Members | Spread | Name | Import | Computed


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """The names that a file defines.

    Args:
        path: the file.
        file: the name of the file in messages.
        names: every name at the top level.
        exported: the names that the file exports; None for all.
        types: the names that are types rather than lists.
        stars: the modules that the file re-exports as a whole, as in ``from module import *``.
        is_complete: whether ``names`` has every name that the file can define.
        syntax_error: the first place that can't be read.
    """

    path: Path
    file: str
    names: Mapping[str, Expression] = field(default_factory=dict)
    exported: frozenset[str] | None = None
    types: frozenset[str] = frozenset()
    stars: tuple[Import, ...] = ()
    is_complete: bool = True
    syntax_error: Position | None = None
