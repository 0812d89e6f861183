"""Applying migrations and rolling them back: all of a run in one transaction, proved before COMMIT."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from waiaas_migrate.errors import ApplyError, DatabaseRefused, UnsupportedError, UsageError
from waiaas_migrate.files.migration_dir import MigrationFile
from waiaas_migrate.runner.bookkeeping import lock_holder, pending, read_applied, refuse_unknown
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.foreign_keys import Violation, new_violations, violations
from waiaas_migrate.runner.proof import differing_objects
from waiaas_migrate.runner.steps import Direction, StepRunner
from waiaas_migrate.runner.transaction import plain_session, write_transaction
from waiaas_migrate.sqlite.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.connection import database_name

#: Says in words how the schema on a connection differs in meaning from that of head; nothing where it does not.
Explain = Callable[[sqlite3.Connection], list[str]]

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What a run did: the migrations in the order in which they were applied, and what the user should know."""

    applied: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """What a rollback did: the migrations in the order in which they were taken back, and what the user should know."""

    rolled_back: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def apply_pending(
    connection: sqlite3.Connection, folder: MigrationFolder, *, verify: bool = True, explain: Explain | None = None
) -> ApplyResult:
    """Apply what is pending of ``folder``; all of it, or nothing.

    What is pending is first read without a lock, so that nothing is locked or written where nothing is; and read again
    under the lock, since another process may have been quicker.

    Raises:
        ApplyError: a migration failed, left foreign keys without parents, or did not lead to the recorded schema.
        UnknownMigrationsError: the database is ahead of the folder.
        DatabaseRefused: the database has tables of unknown origin, or is locked.
        UnsupportedError: a pending migration runs outside transactions.
        UsageError: a transaction is open on the connection.
    """
    with plain_session(connection):
        names = pending(connection, folder.ids)
        if not names:
            return ApplyResult()
        _refuse_unsupported([*_named(folder, names), *folder.post_apply])
        _refuse_unrecorded_tables(connection)
        runner = StepRunner(connection, (*folder.migrations, *folder.post_apply))
        with write_transaction(connection):
            names = pending(connection, folder.ids)
            if not names:
                return ApplyResult()
            _refuse_unrecorded_tables(connection)
            runner.open_books()
            notices = list(_lock_notice(connection))
            with _foreign_keys_kept(connection, names, notices):
                _run(runner, _named(folder, names), "apply")
                if verify:
                    _verify(connection, folder, names, explain)
                for hook in folder.post_apply:
                    runner.run(hook, "apply")
                    runner.log(hook)
            return ApplyResult(applied=names, notices=tuple(notices))


def rollback(
    connection: sqlite3.Connection, folder: MigrationFolder, *, count: int = 1, to: str | None = None
) -> RollbackResult:
    """Roll back the last ``count`` migrations, or all that came after the migration ``to``; all of them, or nothing.

    They are taken in the reverse of the folder's order, as yoyo does.

    Raises:
        ApplyError: a rollback failed, or left foreign keys without parents.
        UnknownMigrationsError: the database is ahead of the folder.
        UnsupportedError: one of the migrations has no rollback, or runs outside transactions.
        UsageError: ``to`` was not applied, or a transaction is open on the connection.
    """
    with plain_session(connection):
        if not _chosen(connection, folder, count, to):
            return RollbackResult()
        runner = StepRunner(connection, folder.migrations)
        with write_transaction(connection):
            todo = _chosen(connection, folder, count, to)
            _refuse_unsupported(todo)
            runner.refuse_one_way(todo)
            runner.open_books()
            names = tuple(migration.id for migration in todo)
            notices = list(_lock_notice(connection))
            with _foreign_keys_kept(connection, names, notices):
                _run(runner, todo, "rollback")
            return RollbackResult(rolled_back=names, notices=tuple(notices))


def _chosen(connection: sqlite3.Connection, folder: MigrationFolder, count: int, to: str | None) -> list[MigrationFile]:
    refuse_unknown(connection, read_applied(connection) or (), folder.ids)
    waiting = set(pending(connection, folder.ids))
    applied = [migration for migration in folder.migrations if migration.id not in waiting]
    if to is None:
        return applied[::-1][: max(count, 0)]
    names = [migration.id for migration in applied]
    if to not in names:
        raise UsageError(
            f"{to} is not applied to {database_name(connection)}. Name one of: {', '.join(names) or 'none is'}."
        )
    return applied[names.index(to) + 1 :][::-1]


def _named(folder: MigrationFolder, names: Sequence[str]) -> list[MigrationFile]:
    wanted = set(names)
    return [migration for migration in folder.migrations if migration.id in wanted]


def _run(runner: StepRunner, todo: Sequence[MigrationFile], direction: Direction) -> None:
    for migration in todo:
        runner.run(migration, direction)
        runner.record(migration, direction)


@contextmanager
def _foreign_keys_kept(connection: sqlite3.Connection, names: Sequence[str], notices: list[str]) -> Iterator[None]:
    """Fail where rows lose their parents within; note those that had lost them before."""
    before = violations(connection)
    yield
    after = violations(connection)
    added = new_violations(before, after)
    if added:
        what = f"foreign keys that held before do not hold afterwards: {_listed(added)}."
        raise ApplyError(database=database_name(connection), migration=_span(names), reason=what)
    if after:
        notices.append(f"foreign keys did not hold before, and were left as they are: {_listed(after)}.")


def _lock_notice(connection: sqlite3.Connection) -> tuple[str, ...]:
    holder = lock_holder(connection)
    if holder is None:
        return ()
    return (f"plain yoyo left a lock row of process {holder}; `yoyo break-lock` removes it, if that process is gone.",)


def _listed(found: Sequence[Violation]) -> str:
    more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(str(violation) for violation in found[:_SHOWN]) + more


def _span(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _refuse_unsupported(todo: Sequence[MigrationFile]) -> None:
    names = [migration.id for migration in todo if not migration.transactional]
    if names:
        raise UnsupportedError(
            f"{', '.join(names)}: runs outside a transaction (`transactional: false`), which is not supported yet. "
            f"Nothing was run. Use plain `yoyo apply` for this migration, or let it run in a transaction."
        )


def _refuse_unrecorded_tables(connection: sqlite3.Connection) -> None:
    """Refuse tables that no migration is known to have made, rather than build upon them."""
    if read_applied(connection) is not None:
        return
    tables = [row.name for row in read_catalog(connection) if row.kind == "table"]
    if tables:
        shown = ", ".join(tables[:_SHOWN]) + (" …" if len(tables) > _SHOWN else "")
        raise DatabaseRefused(
            f"{database_name(connection)}: holds tables ({shown}) but no record of migrations, so that nobody knows "
            f"which of them were run. Nothing was changed. Use another file; or, if its schema is that of the first "
            f"migrations, note those as applied with `yoyo mark`."
        )


def _verify(
    connection: sqlite3.Connection, folder: MigrationFolder, names: Sequence[str], explain: Explain | None
) -> None:
    """Compare the catalog with the one that was recorded for head; the cost does not grow with rows."""
    if folder.manifest is None or folder.manifest.fingerprint in (None, fingerprint(read_catalog(connection))):
        return
    differences = differing_objects(connection, folder) if explain is None else explain(connection)
    if differences:
        what = "the schema would not be the one that the migrations lead to: " + "; ".join(differences)
        fix = "Find what changed the database by hand with `waiaas-migrate drift`."
        raise ApplyError(database=database_name(connection), migration=_span(names), reason=f"{what}. {fix}")
