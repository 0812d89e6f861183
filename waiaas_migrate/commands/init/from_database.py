"""``init --from``: start a project with the schema of a database, and with the first migration.

The files are made in a temporary folder first, so that the migration can be compared with the database.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from waiaas_migrate.authoring.generate import generate
from waiaas_migrate.commands.adopt import adopt
from waiaas_migrate.commands.enums import EnumGroup, python_module
from waiaas_migrate.commands.init.start_files import EDITOR_COMMENT, Start
from waiaas_migrate.commands.init.surroundings import Surroundings
from waiaas_migrate.commands.inspect import inspect
from waiaas_migrate.commands.live_database import live_connection
from waiaas_migrate.errors import DatabaseRefused, UsageError
from waiaas_migrate.files.enum_sources.words import split_words
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.enum_links import ValueList, value_lists
from waiaas_migrate.sqlite.database.url import StrPath, database_path
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.ownership import OtherTools


def from_database(surroundings: Surroundings, database: StrPath) -> Start:
    """Return the files of a project for ``database``, which is only read.

    Raises:
        UsageError: the database is in memory.
        DatabaseFileError: the database is missing, or can't be used.
        DatabaseRefused: the database has no tables, or has records of migrations.
        UnsupportedError: the database has something that can't be written to schema.yaml.
    """
    target = surroundings.folder
    path = _path_in_pyproject(target, database)
    files: dict[Path, str] = {}
    if not surroundings.module_path.exists() and (enums := _new_enums(database, path)):
        files[surroundings.module_path] = enums
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        _write(files, target, scratch)
        root = scratch if files else target
        modules = (surroundings.module,) if files or surroundings.module_path.exists() else ()
        inspected = inspect(database, enums=modules, root=root)
        files[target / "schema.yaml"] = EDITOR_COMMENT + inspected.text
        _write(files, target, scratch)
        migrations, templates = scratch / "migrations", scratch / "templates"
        project = Project(root=root, schema=scratch / "schema.yaml", migrations=migrations, templates=templates)
        generated = generate(project, name="initial")
        if not generated.changes:
            fix = "Run `waiaas-migrate init` without --from, and later `apply` to make its tables."
            raise DatabaseRefused(f"{path}: has no tables to start from. {fix}")
        notices = list(inspected.remarks)
        if generated.refused:
            what = "The first migration was not written: run `generate`."
            notices += [f"{hazard} {what}" for hazard in generated.refused]
            return Start(files=files, database=path, notices=tuple(notices))
        adoption = adopt(project, database, dry_run=True)
        for file in sorted(migrations.iterdir()):
            files[target / "migrations" / file.name] = file.read_bytes().decode()
    if adoption.differences:
        what = " ".join(f"{difference.where}: {difference}." for difference in adoption.differences)
        notices.append(f"{path} differs from the migration, so it was not adopted: {what}")
    return Start(files=files, database=path, notices=tuple(notices), is_adoptable=not adoption.differences)


def _new_enums(database: StrPath, name: str) -> str:
    """Return a module with an enum for each list of values in ``database``, except 0 and 1; empty if there is none."""
    with live_connection(database) as (connection, _):
        schema = introspect(connection, other_tools=OtherTools())
    groups: dict[frozenset[str | int], EnumGroup] = {}
    taken = {"IntEnum", "Literal", "StrEnum"}  # the names that the module may import
    for listed in value_lists(schema):
        if listed.values not in groups and listed.values != {0, 1} and listed.check.allowed is not None:
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


def _write(files: Mapping[Path, str], folder: Path, scratch: Path) -> None:
    """Write ``files``, whose paths are in ``folder``, to the same relative paths in ``scratch``."""
    for path, text in files.items():
        copy = scratch / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8", newline="")


def _path_in_pyproject(folder: Path, database: StrPath) -> str:
    """Return the path of ``database`` for pyproject.toml: relative if the database is in ``folder``, else absolute."""
    place = database_path(database)
    if place.path is None:
        raise UsageError(f"{place.name}: a database in memory is gone after the command. Give the path of a file.")
    path = place.path.absolute()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
