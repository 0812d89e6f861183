"""Hazards, their codes, and the context in which the rules find them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from waiaas_migrate.errors import UsageError
from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Check, Schema, SqlText, Table
from waiaas_migrate.schema.names import fold

ChangeT = TypeVar("ChangeT", bound=c.Change)


class Code(StrEnum):
    """The codes of all hazards; docs/hazards.md has a heading for each."""

    DROP_TABLE = "DROP_TABLE"
    DROP_COLUMN = "DROP_COLUMN"
    DROP_VIRTUAL_TABLE = "DROP_VIRTUAL_TABLE"
    REMOVE_ENUM_VALUE = "REMOVE_ENUM_VALUE"
    NARROW_TYPE = "NARROW_TYPE"
    DROP_ROWID = "DROP_ROWID"
    SWAP_NAMES = "SWAP_NAMES"
    ADD_NOT_NULL = "ADD_NOT_NULL"
    ADD_UNIQUE = "ADD_UNIQUE"
    ADD_CHECK = "ADD_CHECK"
    ADD_FOREIGN_KEY = "ADD_FOREIGN_KEY"
    ADD_STRICT = "ADD_STRICT"
    CHANGE_PRIMARY_KEY = "CHANGE_PRIMARY_KEY"
    CHANGE_COLLATION = "CHANGE_COLLATION"
    FOREIGN_KEY_MISMATCH = "FOREIGN_KEY_MISMATCH"
    UNKNOWN_FUNCTION = "UNKNOWN_FUNCTION"
    UNKNOWN_COLLATION = "UNKNOWN_COLLATION"
    BREAK_OBJECT = "BREAK_OBJECT"
    STALE_VALUE = "STALE_VALUE"


#: Hazards that delete or exchange data.
DESTRUCTIVE = frozenset(
    {
        Code.DROP_TABLE,
        Code.DROP_COLUMN,
        Code.DROP_VIRTUAL_TABLE,
        Code.REMOVE_ENUM_VALUE,
        Code.NARROW_TYPE,
        Code.DROP_ROWID,
        Code.SWAP_NAMES,
    }
)

#: Hazards at which ``generate`` stops without writing anything, unless they are allowed by name.
STOPPING = DESTRUCTIVE | {Code.BREAK_OBJECT, Code.STALE_VALUE}

#: The advice if existing rows may break a new rule.
FIX_ROWS = "Correct such rows first."


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """A hazard of a migration.

    Args:
        code: the kind of hazard.
        where: the affected table, ``table.column`` or other object.
        what: a sentence whose subject is the migration, such as ``deletes every row of people.``
        fix: advice, in one or more sentences.
        name: the function, collation, value or hint in schema.yaml that causes the hazard, if any.
        place: the position of that name or object in schema.yaml, such as ``schema.yaml:5:13``.
    """

    code: Code
    where: str
    what: str
    fix: str
    name: str = ""
    place: str = ""

    @property
    def is_destructive(self) -> bool:
        """Whether the migration deletes or exchanges data."""
        return self.code in DESTRUCTIVE

    @property
    def stops_generate(self) -> bool:
        """Whether ``generate`` stops unless the hazard is allowed by name."""
        return self.code in STOPPING

    def __str__(self) -> str:
        place = f"{self.place}, " if self.place else ""
        return f"{self.code} {place}{self.where}: {self.what} {self.fix}"


def how_to_allow(code: Code) -> str:
    """Return a sentence that names the option that allows a hazard."""
    return f"To do it anyway, run with --allow {code}."


def allowed_codes(allow: Collection[str]) -> frozenset[Code]:
    """Return the hazard codes in ``allow`` (in any case); for ``all``, all codes.

    Raises:
        UsageError: ``allow`` contains an unknown code.
    """
    if any(name.upper() == "ALL" for name in allow):
        return frozenset(Code)
    for name in allow:
        if name.upper() not in Code.__members__:
            close = difflib.get_close_matches(name.upper(), Code.__members__, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(Code)}, or all."
            raise UsageError(f"--allow {name}: unknown hazard. {hint}")
    return frozenset(Code[name.upper()] for name in allow)


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardContext:
    """The schema after a migration, its tables, and all changes of the migration.

    ``tables`` are the tables of ``new`` by folded name. ``satisfied`` are the CHECKs, each after the folded name of its
    table, that every row passes because the migration sets all values that the CHECK reads.
    """

    new: Schema
    tables: Mapping[str, Table]
    changes: Sequence[c.Change]
    satisfied: Collection[tuple[str, Check]]

    def table(self, name: str) -> Table:
        """Return the table ``name`` as it is after the changes."""
        return self.tables[fold(name)]

    def of_kind(self, kind: type[ChangeT], table: str) -> Iterator[ChangeT]:
        """Yield the changes of one kind that alter ``table``."""
        return (change for change in self.changes if isinstance(change, kind) and c.table_of(change) == table)

    def is_satisfied(self, change: c.AddCheck) -> bool:
        """Return whether every row passes a new CHECK."""
        if (fold(change.table), change.new) not in self.satisfied:
            return False
        modified = self.of_kind(c.ModifyColumn, change.table)
        return not any(names_column(change.new.expression, fold(other.new.name)) for other in modified)


def names_column(text: SqlText | None, column: str) -> bool:
    """Return whether ``text`` contains the word ``column``, a folded name."""
    return text is not None and re.search(rf"(?<!\w){re.escape(column)}(?!\w)", fold(text.sql)) is not None
