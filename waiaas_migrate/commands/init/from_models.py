"""``init --from-models``: start a project with the schema of SQLAlchemy models.

SQLAlchemy creates the tables in a temporary database, whose schema is then read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waiaas_migrate.commands.init.start_files import EDITOR_COMMENT, Start
from waiaas_migrate.commands.init.surroundings import Surroundings
from waiaas_migrate.commands.inspect import inspect
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.application_code import ApplicationError, application_code, import_object, is_object_name
from waiaas_migrate.files.problem_report import Origin, listed

if TYPE_CHECKING:
    from sqlalchemy import Enum, MetaData

_EXAMPLE = "Name a declarative base or a MetaData, such as `app.tables:Base`."


def from_models(surroundings: Surroundings, name: str) -> Start:
    """Return the files of a project with the tables that ``create_all`` creates for the models called ``name``.

    Lists of values in CHECKs become references to the enum classes of the models.

    Raises:
        UsageError: ``name`` is not the name of models, or their tables can't be created.
        ProjectError: the module can't be imported.
    """
    metadata = _import_metadata(name, surroundings.folder)
    columns = tuple(_enum_columns(metadata))
    modules = dict.fromkeys(kind.enum_class.__module__ for _, kind in columns if kind.enum_class is not None)
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch, "models.db")
        _create_all(metadata, database, name)
        inspected = inspect(str(database), enums=tuple(modules), root=surroundings.folder)
    notices = list(inspected.remarks)
    if unchecked := [column for column, kind in columns if not kind.create_constraint]:
        notices.append(
            f"{listed(unchecked)}: the models have an enum there, but create no CHECK (`create_constraint=False`). "
            f"To let SQLite check the values, add `enum` to these columns in schema.yaml."
        )
    files = {surroundings.folder / "schema.yaml": EDITOR_COMMENT + inspected.text}
    return Start(files=files, notices=tuple(notices))


def _import_metadata(name: str, root: Path) -> MetaData:
    """Import the object called ``name``, such as ``app.tables:Base``, and return its MetaData."""
    option = f"--from-models {name}"
    if not is_object_name(name):
        raise UsageError(f"{option}: not the name of an object. {_EXAMPLE}")
    try:
        import sqlalchemy
    except ModuleNotFoundError:
        raise UsageError(f"{option}: needs SQLAlchemy. Run: pip install 'waiaas-migrate[sqlalchemy]'") from None
    base = import_object(name, root=root, origin=Origin(file=option))
    metadata = getattr(base, "metadata", base)
    if not isinstance(metadata, sqlalchemy.MetaData):
        module, _, path = name.partition(":")
        raise UsageError(f"{option}: `{module}` has no models called `{path}`. {_EXAMPLE}")
    if not metadata.tables:
        raise UsageError(f"{option}: has no tables. Name a module that imports all models.")
    return metadata


def _create_all(metadata: MetaData, database: Path, name: str) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(sqlalchemy.URL.create("sqlite", database=str(database)))
    try:
        with application_code():
            metadata.create_all(engine)
    except ApplicationError as error:
        raise UsageError(f"--from-models {name}: can't create the tables in SQLite: {error}. Correct them.") from None
    finally:
        engine.dispose()


def _enum_columns(metadata: MetaData) -> Iterator[tuple[str, Enum]]:
    import sqlalchemy

    for table in metadata.tables.values():
        for column in table.columns:
            kind: Any = column.type
            if isinstance(kind, sqlalchemy.Enum):
                yield f"{table.name}.{column.name}", kind
