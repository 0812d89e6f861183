"""The WAIaaS daemon's schema, which ships with the package, and functions that open its database.

::

    from waiaas_migrate import waiaas

    connection = waiaas.open_database("daemon.db")  # applies pending migrations, then sets the PRAGMAs
    ...
    waiaas.close_database(connection)

``Agent``, ``Session``, ``Transaction`` and the other classes are the tables for SQLAlchemy. They need the extra
``waiaas-migrate[sqlalchemy]``.

A name is imported when it is first used, so that importing the enums does not load the runner.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waiaas_migrate.runner.open import close_database
    from waiaas_migrate.waiaas.database import (
        MIGRATIONS,
        connect,
        create_async_engine,
        create_engine,
        open_database,
        push_schema,
    )
    from waiaas_migrate.waiaas.ids import generate_id
    from waiaas_migrate.waiaas.tables import Agent, AuditLog, KeyValue, PendingApproval, Policy, Session, Transaction

__all__ = [
    "MIGRATIONS",
    "Agent",
    "AuditLog",
    "KeyValue",
    "PendingApproval",
    "Policy",
    "Session",
    "Transaction",
    "close_database",
    "connect",
    "create_async_engine",
    "create_engine",
    "generate_id",
    "open_database",
    "push_schema",
]

if not TYPE_CHECKING:  # a type checker that sees __getattr__ accepts misspelled names

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = {"close_database": "runner.open", "generate_id": "waiaas.ids"}.get(name, "waiaas.database")
        if name[0].isupper() and not name.isupper():
            importlib.import_module("waiaas_migrate.sqlalchemy")  # its error says how to install SQLAlchemy
            module = "waiaas.tables"
        value = globals()[name] = getattr(importlib.import_module(f"waiaas_migrate.{module}"), name)
        return value
