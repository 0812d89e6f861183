"""The way to head: what is pending, batch by batch, each in a transaction of its own and proved before COMMIT."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from waiaas_migrate.errors import ApplyError, DatabaseRefused, MigrateError
from waiaas_migrate.files.migration_dir.reader import MigrationFile
from waiaas_migrate.runner.alone import alone, at_work, is_soon_over
from waiaas_migrate.runner.books.applied import pending, read_applied, read_books, waiting
from waiaas_migrate.runner.books.records import books_version
from waiaas_migrate.runner.books.yoyo_lock import Held, sole_transaction
from waiaas_migrate.runner.events import Committed, MigrationFinished, MigrationStarted, Observe
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.outline import outline
from waiaas_migrate.runner.proof.foreign_keys import ForeignKeyCheck, KeysChanged, Oversee, rows_stay
from waiaas_migrate.runner.proof.schema import differences
from waiaas_migrate.runner.recovery import has_run, hint, may_have_run, names_made
from waiaas_migrate.runner.steps import StepRunner, may_switch, may_write_books
from waiaas_migrate.runner.transaction import NotNeeded, foreign_keys_off
from waiaas_migrate.sqlite.catalog import CatalogFacts, read_catalog, read_facts
from waiaas_migrate.sqlite.connection import database_name, plain_errors

#: Whether all pending migrations share one transaction, or each has its own.
Transaction = Literal["all", "each"]

_SHOWN = 5

#: The queries by which a migration looks at tables, whose own words are no names of the database's.
_FACTS = re.compile(
    r"_waiaas_facts AS [^;]*;"
    r"|SELECT fact FROM temp\._waiaas_facts WHERE name =|COLLATE NOCASE ORDER BY part,(?: place,)? fact"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a run goes about it; the arguments of :func:`~waiaas_migrate.runner.apply.apply_pending`."""

    verify: bool = True
    transaction: Transaction = "all"
    observe: Observe | None = None
    #: The connection's busy timeout in milliseconds, where that is known.
    patience: int | None = None
    #: Is told of another connection that is opened for the run; None where this one is not known to be like any other.
    oversee: Oversee | None = None


class Upgrade:
    """One run. What is pending is read anew under the lock for every batch, since another process may be at it too."""

    def __init__(
        self, connection: sqlite3.Connection, folder: MigrationFolder, conduct: Conduct, todo: Sequence[str]
    ) -> None:
        """Begin a run, for which ``todo`` was pending a moment ago."""
        self.committed: list[str] = []
        self.notices: list[str] = []
        self._connection = connection
        self._folder = folder
        self._conduct = conduct
        self._steps = StepRunner(connection, (*folder.migrations, *folder.post_apply), conduct.observe)
        self._total = len(todo)
        # One in Python may give the connection collations of its own, which another does not have.
        has_python = any(migration.kind == "python" for migration in folder.named(todo))
        self._oversee = None if has_python else conduct.oversee
        #: What is pending once the present batch is applied.
        self._left: tuple[str, ...] = ()
        self._started = 0
        #: A light check of foreign keys proved not to be enough, or the first migration to have been run before.
        self._check_all_keys = False
        self._had_run: MigrationFile | None = None

    def run(self) -> None:
        """Apply what is pending.

        Raises:
            MigrateError: says which migrations had been committed before.
        """
        try:
            with plain_errors(self._connection, doing="applying migrations"):
                while self._one_batch():
                    pass
                self._run_late_hooks()
        except MigrateError as error:
            error.after(self.committed)
            raise

    def _one_batch(self) -> bool:
        """Apply and commit the next batch; False where nothing is pending any more."""
        notices: list[str] = []
        started = self._started
        try:
            patience = self._conduct.patience
            with (
                at_work(self._connection) as work,
                sole_transaction(self._connection, notices, self._is_needed, note=False, patience=patience) as held,
            ):
                batch = self._next_batch(held.facts, notices)
                if batch and batch[0].transactional:
                    self._run_together(batch, held, notices, work)
        except NotNeeded:
            return False
        except KeysChanged:
            self._check_all_keys, self._started = True, started
            return True
        except ApplyError as error:
            if not self._was_run_before(error):
                raise
            self._started = started
            return True
        self.notices.extend(notices)
        if batch and not batch[0].transactional:
            self._run_alone(batch[0])
        elif batch:
            self._note_commit(batch)
        return bool(self._left)

    def _is_needed(self) -> bool:
        return bool(pending(self._connection, self._folder.ids))

    def _next_batch(self, facts: CatalogFacts, notices: list[str]) -> tuple[MigrationFile, ...]:
        """What is to be run together, now that nobody else can; books are open then."""
        names = self._pending()
        todo = self._folder.named(names)
        if todo and (taken_over := self._take_over(todo[0], names, facts, notices)):
            todo = todo[taken_over:]
        batch = todo[:1]
        if batch and batch[0].transactional and self._conduct.transaction == "all":
            batch = tuple(itertools.takewhile(lambda migration: migration.transactional, todo))
        self._left = tuple(migration.id for migration in todo[len(batch) :])
        return batch

    def _pending(self) -> tuple[str, ...]:
        """What nobody else has applied meanwhile; where there is something, yoyo's books are open, and the newest."""
        books = read_books(self._connection)
        if books is not None and books.version == books_version():
            return waiting(self._connection, books.applied, self._folder.ids)
        names = pending(self._connection, self._folder.ids)
        if names:
            refuse_unrecorded_tables(self._connection, self._folder)
            self._steps.open_books()
        return names

    # --- a batch in a transaction -------------------------------------------------------------------------------------

    def _run_together(self, batch: Sequence[MigrationFile], held: Held, notices: list[str], work: at_work) -> None:
        if not self._is_soon_over(batch, held.facts):
            work.begin()
        if any(may_switch(migration) for migration in (*batch, *self._folder.post_apply)):
            held.switches.note()
        check = self._foreign_keys(batch, held.facts)
        for migration in batch:
            check.announce(outline(migration).announced)
            self._began(migration)
            self._steps.run(migration, "apply")
            self._steps.record(migration, "apply")
            self._finished(migration)
        after = read_facts(self._connection)
        notices.extend(check.finish(span([migration.id for migration in batch]), after))
        self._run_hooks()  # which may take away what earlier ones made
        self._verify(batch, after)

    def _is_soon_over(self, batch: Sequence[MigrationFile], facts: CatalogFacts) -> bool:
        """Whether nothing that is done with ``batch`` takes the longer the more rows there are.

        That is what a look at foreign keys does, and what may be a hook, or a backup that somebody makes who hears of
        the run. To a STRICT table SQLite adds no column without a look at its rows, since 3.53.
        """
        statements = self._repeatable(batch)
        is_light = not facts.has_keys or (statements is not None and rows_stay(statements))
        adds_nothing = self._conduct.observe is None and not self._folder.post_apply
        return is_light and adds_nothing and not facts.has_strict and is_soon_over(batch, self._conduct.patience)

    def _foreign_keys(self, batch: Sequence[MigrationFile], facts: CatalogFacts) -> ForeignKeyCheck:
        return ForeignKeyCheck(self._connection, self._repeatable(batch), facts, self._oversee)

    def _repeatable(self, batch: Sequence[MigrationFile]) -> tuple[str, ...] | None:
        """All that is going to be run, where that may be done again."""
        if self._check_all_keys or any(migration.kind == "python" for migration in batch):
            return None
        return tuple(statement for migration in batch for statement in migration.statements)

    def _verify(self, batch: Sequence[MigrationFile], facts: CatalogFacts) -> None:
        """Compare the catalog with that recorded for head; the cost does not grow with the rows.

        ``facts`` are those before hooks, so that these cost nothing. Where it is another, and for a batch that does not
        lead to head, the schema is compared with that of a replay in memory, where the folder was applied in its own
        order.
        """
        manifest = self._folder.manifest
        if not self._conduct.verify or manifest is None or manifest.fingerprint is None:
            return
        if self._is_at_head(batch) and self._folder.others.is_recorded(facts, manifest.fingerprint):
            return
        done = self._applied()
        if done != self._folder.migrations[: len(done)]:
            return
        if found := differences(self._connection, done, self._folder):
            what = "the schema would not be the one that the migrations lead to: " + "; ".join(found)
            fix = "Find what changed the database by hand with `waiaas-migrate drift`."
            name = span([migration.id for migration in batch])
            raise ApplyError(database=database_name(self._connection), migration=name, reason=f"{what}. {fix}")

    def _is_at_head(self, batch: Sequence[MigrationFile]) -> bool:
        """Whether nothing is pending any more; the books are asked only where a migration may have written there."""
        if any(may_write_books(migration) for migration in batch):
            return not pending(self._connection, self._folder.ids)
        return not self._left

    def _applied(self) -> tuple[MigrationFile, ...]:
        waiting = set(pending(self._connection, self._folder.ids))
        return tuple(migration for migration in self._folder.migrations if migration.id not in waiting)

    def _run_hooks(self) -> None:
        """Run the hooks that may share the last transaction."""
        if self._folder.post_apply and not pending(self._connection, self._folder.ids):
            for hook in self._folder.post_apply:
                if hook.transactional:
                    self._steps.run(hook, "apply")
                    self._steps.log(hook)

    # --- outside transactions -----------------------------------------------------------------------------------------

    def _run_alone(self, migration: MigrationFile) -> None:
        """Run a migration that cannot run in a transaction, and record it when it is done."""
        with alone(self._connection), foreign_keys_off(self._connection):
            if migration.id not in pending(self._connection, self._folder.ids):
                return
            check = ForeignKeyCheck(self._connection)
            check.announce(outline(migration).announced)
            self._began(migration)
            self._steps.run(migration, "apply")
            with sole_transaction(self._connection, self.notices):
                self._steps.record(migration, "apply")
                self._finished(migration)
                self._run_hooks()
        self._note_commit([migration])
        try:
            self.notices.extend(check.finish(migration.id))
            self._verify([migration], read_facts(self._connection))
        except ApplyError as error:
            name, reason = error.migration, error.reason
            raise ApplyError(database=error.database, migration=name, reason=reason, rolled_back=False) from error

    def _run_late_hooks(self) -> None:
        late = [hook for hook in self._folder.post_apply if not hook.transactional]
        for hook in late if self.committed else ():
            with alone(self._connection), foreign_keys_off(self._connection):
                self._steps.run(hook, "apply")
            with sole_transaction(self._connection, self.notices):
                self._steps.log(hook)

    # --- after plain yoyo's crash -------------------------------------------------------------------------------------

    def _take_over(self, first: MigrationFile, names: Collection[str], facts: CatalogFacts, notices: list[str]) -> int:
        """Record ``first`` where it was certainly run already, and say so; how many were recorded."""
        looks_so = not self.committed and may_have_run(facts, self._folder, first)
        if self._had_run is not first and not looks_so:
            return 0
        waiting = frozenset(names)
        applied = [migration for migration in self._folder.migrations if migration.id not in waiting]
        if not has_run(self._connection, self._folder, applied, first):
            return 0
        self._steps.mark(first)
        notices.append(
            f"{first.id} had been run but not recorded, as happens where plain `yoyo apply` is interrupted. The schema "
            f"is exactly the one that it leads to, so it was recorded as applied."
        )
        return 1

    def _was_run_before(self, error: ApplyError) -> bool:
        """Whether the first pending migration failed since it had been run already.

        Raises:
            ApplyError: it looks so, and is not certain.
        """
        waiting = pending(self._connection, self._folder.ids)
        first = next((m for m in self._folder.migrations if m.id in waiting[:1]), None)
        if first is None or first.id != error.migration or self._had_run is first:
            return False
        if has_run(self._connection, self._folder, self._applied(), first):
            self._had_run = first
            return True
        hinted = hint(self._connection, first, error)
        if hinted is not error:
            raise hinted from error
        return False

    # --- telling ------------------------------------------------------------------------------------------------------

    def _began(self, migration: MigrationFile) -> None:
        self._started += 1
        if self._conduct.observe is not None:
            event = MigrationStarted(migration=migration.id, number=self._started, total=self._total)
            self._conduct.observe(event)

    def _finished(self, migration: MigrationFile) -> None:
        if self._conduct.observe is not None:
            self._conduct.observe(MigrationFinished(migration=migration.id))

    def _note_commit(self, batch: Iterable[MigrationFile]) -> None:
        names = tuple(migration.id for migration in batch)
        self.committed.extend(names)
        if self._conduct.observe is not None:
            self._conduct.observe(Committed(migrations=names))


def span(names: Sequence[str]) -> str:
    """What a batch is called in messages."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def refuse_unrecorded_tables(connection: sqlite3.Connection, folder: MigrationFolder) -> None:
    """Refuse tables that no migration is known to have made, unless they belong to other tools.

    Raises:
        DatabaseRefused: names them.
    """
    if read_applied(connection) is not None:
        return
    others = folder.others.except_for(names_made(folder.migrations))
    tables = [row.name for row in others.without(read_catalog(connection)) if row.kind == "table"]
    # Asked again, since another connection may have made both in the meantime.
    if tables and read_applied(connection) is None:
        shown = ", ".join(tables[:_SHOWN]) + (" …" if len(tables) > _SHOWN else "")
        raise DatabaseRefused(
            f"{database_name(connection)}: holds tables ({shown}) but no record of migrations, so that nobody knows "
            f"which of them were run. Nothing was changed. Use another file; or, where `waiaas-migrate diff` finds no "
            f"difference between it and the migrations, note those as applied: "
            f"`yoyo mark --batch --database waiaas:///FILE MIGRATIONS`."
        )


def refuse_shadows(connection: sqlite3.Connection, texts: Iterable[str]) -> None:
    """Refuse a connection with temporary objects that hide those of the database from statements that name them.

    ``texts`` are what is to be run: what it makes is hidden no less than what is there. Triggers on a table that they
    name would fire on what they do to its rows, and go with it where it is rebuilt.

    Raises:
        DatabaseRefused: names them.
    """
    query = "SELECT name, tbl_name FROM sqlite_temp_master WHERE sql IS NOT NULL"
    temporary: dict[str, str] = dict(connection.execute(query).fetchall())
    if not temporary:
        return
    there = {name.lower() for (name,) in connection.execute("SELECT name FROM main.sqlite_master")}
    text = _FACTS.sub("", "\n".join(texts)).lower()
    hidden = [name for name in temporary if name.lower() in there or _is_named(name.lower(), text)]
    firing = [name for name, table in temporary.items() if table not in temporary and _is_named(table.lower(), text)]
    if hidden or firing:
        raise DatabaseRefused(
            f"{database_name(connection)}: this connection has temporary objects of these names: "
            f"{', '.join(dict.fromkeys((*hidden, *firing)))}. Nothing was changed. Drop them, or migrate on another "
            f"connection."
        )


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
