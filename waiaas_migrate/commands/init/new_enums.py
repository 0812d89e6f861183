"""Generate a Python module with an enum for each list of values in the CHECKs of a database, for ``init --from``."""

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

#: Names that the generated module imports, so no enum can have them.
_IMPORTED = frozenset({"IntEnum", "Literal", "StrEnum"})
_BOOLEAN = frozenset({0, 1})


def new_enums(database: StrPath, name: str) -> str:
    """Return the text of a module with an enum for each list of values in ``database``; empty if it has no lists.

    ``name`` is the name of the database for a comment in the module.
    """
    with live_connection(database) as (connection, _):
        schema = introspect(connection, other_tools=OtherTools())
    groups: dict[frozenset[str | int], EnumGroup] = {}
    taken = set(_IMPORTED)
    for listed in value_lists(schema):
        if listed.values not in groups and listed.values != _BOOLEAN and listed.check.allowed is not None:
            enum = _enum_name(listed, taken)
            groups[listed.values] = EnumGroup(values=listed.check.allowed.values, type_name=enum)
            taken.add(enum)
    head = (f"Made from {name}. schema.yaml refers to these enums.",)
    return python_module(groups.values(), head) if groups else ""


def _enum_name(listed: ValueList, taken: Collection[str]) -> str:
    """Return a name that isn't in ``taken``: the column's, the table's and the column's, or ``Enum`` and a number."""
    column, both = (_camel_case(*names) for names in ((listed.column.name,), (listed.table.name, listed.column.name)))
    numbered = (f"Enum{number}" for number in range(1, len(taken) + 2))
    return next(name for name in (column, both, *numbered) if name.isidentifier() and name not in taken)


def _camel_case(*names: str) -> str:
    return "".join(word.capitalize() for name in names for word in split_words(name))
