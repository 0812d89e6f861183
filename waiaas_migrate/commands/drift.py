"""``drift``: is a live database what its migrations made of it?"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from waiaas_migrate.commands.findings import Finding, Subject, schema_findings
from waiaas_migrate.commands.live_database import (
    Standing,
    folder_of,
    has_unrecorded_tables,
    hooks_of,
    new_run,
    others_of,
    reading,
    standing,
)
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, each
from waiaas_migrate.runner.fleet.patterns import refuse_single_name
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.changes import Change, object_of
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.reading.introspect import introspect

_SAYING = "changed without a migration: {}."
_FIX = (
    "Find out who changed it by hand, and change it back. What shall stay, declare in schema.yaml then, and generate."
)
_SAYING_OF_UNKNOWN = "made by an unknown migration, or without one: {}."
_FIX_OF_UNKNOWN = "The version of the application that has the migration can tell."
_SAYING_OF_UNRECORDED = "no migration is known to have made this: {}."
_FIX_OF_UNRECORDED = "`waiaas-migrate diff` says what differs from the migrations."
_SAYING_OF_HOOKS = "not as the post-apply hooks make it: {}."
_FIX_OF_HOOKS = (
    "Hooks run only where `apply` has something to apply. If they were written or edited since, run them by hand, or "
    "wait for the next migration; else find out who changed it by hand."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What differs in ``database`` from what the migrations that it has run make; ``pending`` are those it has not.

    At head, what post-apply hooks make belongs to it. Behind head, where they are yet to run, they are not asked.

    ``is_adopted`` is false where it has tables and no record of migrations: then all of it differs.
    """

    database: str
    findings: tuple[Finding, ...]
    pending: tuple[str, ...]
    is_adopted: bool = True


def drift(project: Project, database: str, *, column_order: bool = False) -> Drift:
    """Compare ``database`` with the migrations it has run, replayed in memory; nothing is written.

    Raises:
        DatabaseFileError: where the database cannot be read.
        MigrationsError: where the migrations folder cannot be used.
        UnsupportedError: names what in the database cannot be read exactly.
    """
    return _drift(database, project=project, column_order=column_order, run=new_run())


def drift_of_all(
    project: Project,
    databases: Iterable[str],
    fleet: Fleet = Fleet(),  # noqa: B008 — a frozen value
    *,
    column_order: bool = False,
) -> Iterator[Outcome[Drift]]:
    """Compare each of ``databases``; the folder is read once, and replayed once for those that have run the same.

    Raises:
        MigrationsError: where the migrations folder cannot be used.
        UsageError: ``databases`` is one name.
    """
    refuse_single_name(databases)
    run = new_run()
    folder_of(project, run)
    return each(functools.partial(_drift, project=project, column_order=column_order, run=run), databases, fleet)


def _drift(database: str, *, project: Project, column_order: bool, run: int) -> Drift:
    with reading(database) as (connection, name):
        found = standing(connection, folder_of(project, run))
        others = others_of(project, run)
        is_adopted = not has_unrecorded_tables(connection, others)
        expected = _Expected(project=project, run=run, found=found)
        live = introspect(connection, others=others.except_for(expected.made.names))
    unknown = tuple(
        Finding(
            subject=Subject.MIGRATION,
            where=row.id,
            what="the database has run this migration, which is not in the folder.",
            fix="Use the version of the application that has it.",
        )
        for row in found.unknown
    )
    if is_adopted and hooks_of(project, run):
        by_hand, of_hooks = expected.with_hooks(live, column_order=column_order)
    else:
        by_hand, of_hooks = diff(expected.made, live, column_order=column_order), ()
    saying, fix = _words(unknown, is_adopted=is_adopted)
    hooked = schema_findings(of_hooks, saying=_SAYING_OF_HOOKS, fix=_FIX_OF_HOOKS, subject=Subject.HOOK)
    return Drift(
        database=name,
        findings=(*unknown, *schema_findings(by_hand, saying=saying, fix=fix), *hooked),
        pending=tuple(migration.id for migration in found.pending),
        is_adopted=is_adopted,
    )


def _words(unknown: Sequence[Finding], *, is_adopted: bool) -> tuple[str, str]:
    """How a change is told that is not in the migrations, and what to do; who made it is not always known."""
    if not is_adopted:
        return _SAYING_OF_UNRECORDED, _FIX_OF_UNRECORDED
    return (_SAYING_OF_UNKNOWN, _FIX_OF_UNKNOWN) if unknown else (_SAYING, _FIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """What a database is held against that stands where ``found`` says."""

    project: Project
    run: int
    found: Standing

    @property
    def made(self) -> Schema:
        """What the migrations that it has run make."""
        return _replayed(self.project, self.run, self._names)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(migration.id for migration in self.found.applied)

    def with_hooks(self, live: Schema, *, column_order: bool) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
        """What differs from that in ``live``, and what in it differs from what the hooks make."""
        if self.found.pending:
            head = tuple(migration.id for migration in folder_of(self.project, self.run))
            theirs = _objects_of_hooks(self.project, self.run, head)
            changes = diff(self.made, live, column_order=column_order)
            return tuple(change for change in changes if object_of(change) not in theirs), ()
        theirs = _objects_of_hooks(self.project, self.run, self._names)
        changes = diff(_replayed(self.project, self.run, self._names, hooked=True), live, column_order=column_order)
        by_hand = tuple(change for change in changes if object_of(change) not in theirs)
        return by_hand, tuple(change for change in changes if object_of(change) in theirs)


@functools.lru_cache(maxsize=16)
def _objects_of_hooks(project: Project, run: int, names: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    """What the hooks make or change behind these migrations."""
    changes = diff(_replayed(project, run, names), _replayed(project, run, names, hooked=True))
    return frozenset(object_of(change) for change in changes)


@functools.lru_cache(maxsize=16)
def _replayed(project: Project, run: int, names: tuple[str, ...], *, hooked: bool = False) -> Schema:
    """What these migrations make, and the hooks behind them."""
    wanted = set(names)
    files = [migration for migration in folder_of(project, run) if migration.id in wanted]
    with closing(replay([*files, *(hooks_of(project, run) if hooked else ())])) as connection:
        return introspect(connection)
