"""Schema-as-data migrations for SQLite: one YAML file, reviewed SQL, and a proof that each database matches.

Most applications need only these::

    from waiaas_migrate import close_database, open_database

    connection = open_database("app.db", migrations="migrations")  # applies pending migrations, then sets the PRAGMAs
    ...
    close_database(connection)

:mod:`waiaas_migrate.api` lists every public name. The module that defines a name is imported when the name is first
used, so ``import waiaas_migrate`` is fast.
"""

from __future__ import annotations

import typing as _typing

from waiaas_migrate import api as _api

if _typing.TYPE_CHECKING:
    from waiaas_migrate.api import *  # noqa: F403 — every name of its __all__

__version__ = "0.1.0"

__all__ = ["__version__"]
__all__ += _api.__all__

if not _typing.TYPE_CHECKING:  # a type checker that sees __getattr__ accepts misspelled names

    def __getattr__(name: str) -> object:
        value = globals()[name] = _api.load(name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
