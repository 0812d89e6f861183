"""The codes of hazards, by which migrations and the command line name them."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every hazard; each has a heading in docs/hazards.md."""

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
    BREAK_OBJECT = "BREAK_OBJECT"


#: Hazards that lose or exchange something of what is there.
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

#: Hazards at which ``generate`` stops: it writes nothing unless they are allowed by name.
STOPPING = DESTRUCTIVE | {Code.BREAK_OBJECT}
