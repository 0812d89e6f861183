"""Hazards and their codes, which migrations and the command line use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


#: Hazards that delete, convert, replace or exchange data.
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

#: Hazards at which ``generate`` stops without writing anything, unless ``--allow`` permits them.
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
        """Whether the migration deletes, converts, replaces or exchanges data."""
        return self.code in DESTRUCTIVE

    @property
    def stops_generate(self) -> bool:
        """Whether ``generate`` stops unless ``--allow`` permits the hazard."""
        return self.code in STOPPING

    def __str__(self) -> str:
        place = f"{self.place}, " if self.place else ""
        return f"{self.code} {place}{self.where}: {self.what} {self.fix}"


def how_to_allow(code: Code) -> str:
    """Return a sentence that names the option that allows a hazard."""
    return f"To do it anyway, run with --allow {code}."
