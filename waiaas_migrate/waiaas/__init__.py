"""The WAIaaS daemon's schema, which ships with the package, and functions that open its database.

::

    from waiaas_migrate import waiaas

    connection = waiaas.open_database("daemon.db")  # applies pending migrations, then sets the PRAGMAs
    ...
    waiaas.close_database(connection)

The names are imported when they are first used, so that reading the enums does not load the runner.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waiaas_migrate.waiaas.database import (
        MIGRATIONS,
        close_database,
        connect,
        create_async_engine,
        create_engine,
        open_database,
        push_schema,
    )
    from waiaas_migrate.waiaas.ids import generate_id

__all__ = [
    "MIGRATIONS",
    "close_database",
    "connect",
    "create_async_engine",
    "create_engine",
    "generate_id",
    "open_database",
    "push_schema",
]

if not TYPE_CHECKING:  # a type checker would take every name for one of the package's

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{'ids' if name == 'generate_id' else 'database'}")
        value = globals()[name] = getattr(module, name)
        return value
