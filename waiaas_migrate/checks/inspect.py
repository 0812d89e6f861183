"""``inspect``: the schema.yaml of a database that is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from waiaas_migrate.checks.database import reading
from waiaas_migrate.files.report import Origin
from waiaas_migrate.files.schema_file.enum_source import LoadedEnums, load_enums
from waiaas_migrate.files.schema_file.writer import schema_text
from waiaas_migrate.sqlite.introspect import introspect


def inspect(database: str, *, enums: Sequence[str] = (), root: Path | None = None) -> str:
    """The schema of ``database`` as the text of a schema.yaml; nothing is written.

    Args:
        database: A path or a URL.
        enums: Modules whose lists are referred to by name where a CHECK holds the same.
        root: Where those modules are looked for first; the current folder where None.

    Raises:
        DatabaseFileError: the file is missing, is no database, or cannot be read.
        SchemaFileError: a module cannot be imported.
        UnsupportedError: names what in the database cannot be read exactly, or written.
    """
    loaded = load_enums([(module, Origin(file="--enums")) for module in enums], root=root or Path.cwd())
    with reading(database) as (connection, _):
        schema = introspect(connection)
    return schema_text(schema, enums=_lists(loaded), enum_modules=tuple(enums))


def _lists(loaded: LoadedEnums) -> dict[str, tuple[str | int, ...]]:
    """The values of each enum by its name: constants first, which hold a list that was made to be referred to."""
    found = [loaded.find(name) for name in loaded.usable()]
    usable = [enum for enum in found if enum is not None and not enum.problem]
    return {enum.name: enum.values for enum in sorted(usable, key=lambda enum: not enum.name.isupper())}
