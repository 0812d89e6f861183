"""Start a project from SQLAlchemy models: create their tables in a scratch database, and read it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waiaas_migrate.commands.init.start import Start
from waiaas_migrate.commands.init.start_files import HEAD
from waiaas_migrate.commands.init.surroundings import Surroundings
from waiaas_migrate.commands.inspect import inspect
from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.application_code import ApplicationError, application_code, import_object, is_object_name
from waiaas_migrate.files.problem_report import Origin, listed

if TYPE_CHECKING:
    from sqlalchemy import Enum, MetaData

_EXAMPLE = "Name a declarative base or a MetaData, such as `app.tables:Base`."


def from_models(around: Surroundings, name: str) -> Start:
    """Return the start of a project with the schema that ``create_all`` makes of the models called ``name``.

    Lists of values are linked to the enum classes of the models.

    Raises:
        UsageError: ``name`` names no models, or their tables can't be created.
        ProjectError: the module can't be imported.
    """
    metadata = _metadata(name, around.folder)
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch, "models.db")
        _create_all(metadata, database, name)
        found = inspect(str(database), enums=_modules(metadata), root=around.folder)
    files = {around.folder / "schema.yaml": HEAD + found.text}
    return Start(files=files, notices=(*found.remarks, *_without_check(metadata)))


def _metadata(name: str, root: Path) -> MetaData:
    option = f"--from-models {name}"
    if not is_object_name(name):
        raise UsageError(f"{option}: not the name of an object. {_EXAMPLE}")
    try:
        import sqlalchemy
    except ModuleNotFoundError:
        raise UsageError(f"{option}: needs SQLAlchemy. Run: pip install 'waiaas-migrate[sqlalchemy]'") from None
    found = import_object(name, root=root, origin=Origin(file=option))
    metadata = getattr(found, "metadata", found)
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


def _modules(metadata: MetaData) -> tuple[str, ...]:
    """Return the modules of the models' enum classes."""
    classes = [kind.enum_class for _, kind in _enums(metadata) if kind.enum_class is not None]
    return tuple(dict.fromkeys(one.__module__ for one in classes))


def _without_check(metadata: MetaData) -> Iterator[str]:
    """Yield a notice on the enums that the models don't make SQLite check."""
    names = [where for where, kind in _enums(metadata) if not kind.create_constraint]
    if names:
        yield (
            f"{listed(names)}: the models have an enum there, but create no CHECK (`create_constraint=False`). "
            f"To let SQLite check the values, add `enum` to these columns in schema.yaml."
        )


def _enums(metadata: MetaData) -> Iterator[tuple[str, Enum]]:
    import sqlalchemy

    for table in metadata.tables.values():
        for column in table.columns:
            kind: Any = column.type
            if isinstance(kind, sqlalchemy.Enum):
                yield f"{table.name}.{column.name}", kind
