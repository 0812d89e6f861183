"""Write a module with an enum for each list of values in the CHECKs of a database."""

from __future__ import annotations

from collections.abc import Collection

from waiaas_migrate.commands.enum_modules.groups import EnumGroup
from waiaas_migrate.commands.enum_modules.python_module import python_module
from waiaas_migrate.commands.live_database import live_connection
from waiaas_migrate.files.enum_sources.words import split_words
from waiaas_migrate.files.schema_file.enum_links import ValueList, value_lists
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.ownership import OtherTools

#: Names that the module imports.
_TAKEN = frozenset({"IntEnum", "Literal", "StrEnum"})
_BOOLEAN = frozenset({0, 1})


def new_enums(database: StrPath, shown: str) -> str:
    """Return a module with an enum for each list of values in ``database``; empty if there are none.

    ``shown`` is the database's name in the module.
    """
    with live_connection(database) as (connection, _):
        schema = introspect(connection, other_tools=OtherTools())
    groups: dict[frozenset[str | int], EnumGroup] = {}
    taken = set(_TAKEN)
    for one in value_lists(schema):
        if one.values not in groups and one.values != _BOOLEAN and one.check.allowed is not None:
            name = _name(one, taken)
            groups[one.values] = EnumGroup(values=one.check.allowed.values, type_name=name)
            taken.add(name)
    head = (f"Made from {shown}. schema.yaml refers to these enums.",)
    return python_module(groups.values(), head) if groups else ""


def _name(one: ValueList, taken: Collection[str]) -> str:
    """Return a name for the enum of a list: the column's name, preceded by the table's if it is taken."""
    column, both = (_camel_case(*names) for names in ((one.column.name,), (one.table.name, one.column.name)))
    others = (f"Enum{number}" for number in range(1, len(taken) + 2))
    return next(name for name in (column, both, *others) if name.isidentifier() and name not in taken)


def _camel_case(*names: str) -> str:
    return "".join(word.capitalize() for name in names for word in split_words(name))
