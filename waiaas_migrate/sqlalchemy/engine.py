"""Create SQLAlchemy engines that migrate the database and set its PRAGMAs."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import sqlalchemy
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, Engine, Pool, QueuePool, event

from waiaas_migrate.errors import UsageError
from waiaas_migrate.runner.open import connect_to, open_database
from waiaas_migrate.sqlalchemy.reflection import reflect_inline_keys
from waiaas_migrate.sqlite.database.connect_options import ConnectOptions, check_options
from waiaas_migrate.sqlite.database.setup import Setup
from waiaas_migrate.sqlite.database.url import StrPath, database_path

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from waiaas_migrate.runner.options import BackupWhen

#: How a transaction begins (https://www.sqlite.org/lang_transaction.html).
Begin = Literal["IMMEDIATE", "DEFERRED"]

#: The arguments of SQLAlchemy and of :func:`sqlite3.connect` that an engine for a migrated database sets itself.
_RESERVED = frozenset({"async_creator", "autocommit", "check_same_thread", "creator", "isolation_level"})


def create_engine(
    path: StrPath,
    *,
    migrations: StrPath,
    backup: BackupWhen = "auto",
    setup: Setup | None = None,
    begin: Begin = "IMMEDIATE",
    **options: Any,  # noqa: ANN401 — SQLAlchemy's own
) -> Engine:
    """Apply pending migrations, and return an engine for the database at ``path``.

    Args:
        path: a path, ``:memory:``, a ``file:`` URI or a ``sqlite:///`` URL. All threads share a database in memory.
        migrations: the migrations folder.
        backup: when to copy the database first, as for :func:`waiaas_migrate.open_database`.
        setup: a function that gets each new connection first, to register collations and functions, or load extensions.
        begin: how transactions begin. ``IMMEDIATE`` waits for other writers at the start, so that a transaction that
            reads first can still write. For transactions that only read, use ``DEFERRED``, with
            ``engine.execution_options(begin="DEFERRED")``; they neither wait nor make other transactions wait.
        options: arguments of :func:`sqlalchemy.create_engine`. ``connect_args`` takes ``factory``, ``detect_types`` and
            ``cached_statements``.

    Raises:
        MigrateError: the errors of :func:`waiaas_migrate.open_database`. Later, a new connection may raise those of
            :func:`waiaas_migrate.connect`.
        UsageError: ``begin`` or a connect argument is unknown, or the engine sets one of the options itself.
    """
    _check_begin(begin)
    url, opener, engine_options = _migrate(path, migrations, options, QueuePool, backup=backup, setup=setup)
    engine = sqlalchemy.create_engine(url, creator=opener, **engine_options)
    _begin_explicitly(engine, begin, options.get("isolation_level"))
    reflect_inline_keys(engine)
    return engine


def create_async_engine(
    path: StrPath,
    *,
    migrations: StrPath,
    backup: BackupWhen = "auto",
    setup: Setup | None = None,
    begin: Begin = "IMMEDIATE",
    **options: Any,  # noqa: ANN401 — SQLAlchemy's own
) -> AsyncEngine:
    """Apply pending migrations, and return an async engine for the database at ``path``.

    The engine uses aiosqlite. The arguments and errors are those of :func:`create_engine`. Migrations run in the
    calling thread before the function returns, so call it at startup or with ``asyncio.to_thread``.
    """
    try:
        import aiosqlite
    except ModuleNotFoundError as error:
        what = "create_async_engine needs aiosqlite. Run: pip install 'waiaas-migrate[asyncio]'"
        raise ModuleNotFoundError(what, name="aiosqlite") from error
    from sqlalchemy.ext import asyncio

    _check_begin(begin)
    url, opener, engine_options = _migrate(path, migrations, options, AsyncAdaptedQueuePool, backup=backup, setup=setup)

    async def connect() -> aiosqlite.Connection:
        connection = aiosqlite.Connection(opener, iter_chunk_size=64)
        # Like SQLAlchemy, don't let a connection that was not closed keep the process alive.
        thread: Any = getattr(connection, "_thread", connection)
        thread.daemon = True
        return await connection

    url = url.set(drivername="sqlite+aiosqlite")
    engine = asyncio.create_async_engine(url, async_creator=connect, **engine_options)
    _begin_explicitly(engine.sync_engine, begin, options.get("isolation_level"))
    reflect_inline_keys(engine.sync_engine)
    return engine


def _migrate(
    path: StrPath,
    migrations: StrPath,
    given: dict[str, Any],
    pool: type[Pool],
    *,
    backup: BackupWhen,
    setup: Setup | None,
) -> tuple[URL, Callable[[], sqlite3.Connection], dict[str, Any]]:
    """Apply pending migrations.

    Returns:
        The URL of the database, a function that opens a connection to it, and the options of the engine: those
        ``given``, and defaults.
    """
    # JSON has no NaN. Neither SQLite nor other programs could read it.
    options: dict[str, Any] = {"json_serializer": functools.partial(json.dumps, allow_nan=False), **given}
    connect_args: dict[str, Any] = options.pop("connect_args", {})
    for name in _RESERVED & (connect_args.keys() | (options.keys() - {"isolation_level"})):
        raise UsageError(f"{name}: an engine for a migrated database sets this itself. Leave it out.")
    arguments: ConnectOptions = {**connect_args, "check_same_thread": False, "isolation_level": None}  # type: ignore[typeddict-item]
    check_options({**arguments})
    database = database_path(path)
    folder = os.path.abspath(migrations)  # noqa: PTH100 — the process may change its working directory later
    open_migrated = functools.partial(open_database, path, migrations=folder, backup=backup, setup=setup)
    open_migrated().close()
    if database.file is None:
        if "poolclass" not in options:
            # Each connection would open a separate database in memory, so threads must share one connection.
            options |= {"poolclass": pool, "pool_size": 1, "max_overflow": 0}
        return URL.create("sqlite"), functools.partial(open_migrated, **arguments), options
    file = os.path.abspath(database.file)  # noqa: PTH100 — for the same reason, and unlike resolve() it keeps links
    existing = replace(database, file=file, existed_before=True)
    opener = functools.partial(connect_to, existing, migrations=folder, setup=setup, options=arguments)
    return URL.create("sqlite", database=file), opener, options


def _begin_explicitly(engine: Engine, begin: Begin, level: str | None) -> None:
    """Send BEGIN for each transaction; sqlite3 would send none before SELECT or DDL."""

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level", level) == "AUTOCOMMIT":
            return
        chosen = options.get("begin", begin)
        try:
            _check_begin(chosen)
            connection.exec_driver_sql(f"BEGIN {chosen}")
        except BaseException:
            # SQLAlchemy assumes that the transaction has begun, and would run the next statements outside of it.
            connection.close()
            raise


def _check_begin(begin: str) -> None:
    if begin not in get_args(Begin):
        raise UsageError(f"begin={begin!r}: unknown value. Use 'IMMEDIATE' or 'DEFERRED'.")
