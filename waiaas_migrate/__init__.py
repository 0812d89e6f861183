"""Schema-as-data migrations for SQLite: one YAML file, reviewed SQL, and a database that provably matches.

An application needs these five::

    from waiaas_migrate import open_database, close_database, generate_id

    connection = open_database("daemon.db")  # at head, PRAGMAs set; connect() and push_schema() do one of the two
    ...
    close_database(connection)

They are imported when first used, so that ``import waiaas_migrate`` costs nothing.
"""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from waiaas_migrate.runner.open import close_database, connect, open_database, push_schema
    from waiaas_migrate.waiaas.ids import generate_id

__version__ = "0.1.0"

__all__ = ["__version__", "close_database", "connect", "generate_id", "open_database", "push_schema"]

_HOMES = {
    "close_database": "waiaas_migrate.runner.open",
    "connect": "waiaas_migrate.runner.open",
    "generate_id": "waiaas_migrate.waiaas.ids",
    "open_database": "waiaas_migrate.runner.open",
    "push_schema": "waiaas_migrate.runner.open",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(_importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
