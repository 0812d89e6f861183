"""Check that a run adds no foreign key violation."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing

from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.proof.differences import listed
from waiaas_migrate.runner.proof.violations import MISMATCH, Key, KeyNames, Violation, read_keys, violations
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import database_name
from waiaas_migrate.sqlite.planning.effects import Effects


class FullCheckNeeded(Exception):
    """The run must be rolled back and repeated with a full check of foreign keys."""


class ForeignKeyCheck:
    """A check that a run adds no foreign key violation.

    A full check looks at every row with a foreign key, before and after the run. If the run can be repeated, the first
    look is skipped until violations turn up. The second is skipped, too, if no statement changes a row and all foreign
    keys stay the same.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        effects: Sequence[Effects] | None = None,
        facts: CatalogFacts | None = None,
    ) -> None:
        """Begin a check, before the first statement of a run.

        ``effects`` are those of everything that will run in this transaction; None demands a full check. ``facts`` are
        those of the catalog, if they have been read.
        """
        self._connection = connection
        self._announced: list[str] = []
        self._keys = self._read_keys(facts)
        can_repeat = effects is not None and all(one.is_known for one in effects)
        self._may_break = not can_repeat or any(one.may_break_keys for one in effects or ())
        are_enforceable = all(key.is_enforceable for key in self._keys)  # if not, there are violations at the end, too
        can_wait = bool(self._keys) and can_repeat and (are_enforceable or not self._may_break)
        self._before = None if can_wait else tuple(violations(connection, self._keys))

    def announce(self, tables: Iterable[str]) -> None:
        """Declare that each table in ``tables`` will have one more foreign key that SQLite cannot enforce."""
        self._announced += map(fold, tables)

    def finish(self, migration: str, facts: CatalogFacts | None = None) -> tuple[str, ...]:
        """Return notices of old and announced violations; ``facts`` are those of the catalog now, if they are known.

        Raises:
            ApplyError: there are new violations; it names ``migration``.
            FullCheckNeeded: there are violations, or foreign keys changed, and this was not a full check.
        """
        keys = self._read_keys(facts)
        if not self._may_break and keys == self._keys:
            return ()
        if self._before is None:
            with closing(violations(self._connection, keys)) as found:
                if not self._may_break or next(found, None) is not None:
                    raise FullCheckNeeded
            return ()
        after = tuple(violations(self._connection, keys))
        kept = {key.names for key in self._keys} & {key.names for key in keys}
        new = new_violations(self._before, after, kept)
        unannounced = tuple(self._unannounced(new))
        if unannounced:
            reason = f"new foreign key violations: {listed(unannounced)}."
            raise ApplyError(database=database_name(self._connection), migration=migration, reason=reason)
        announced = frozenset(new)
        old = [one for one in after if one not in announced]
        notices = []
        if new:
            notices.append(f"{migration} added foreign keys that SQLite cannot enforce, as announced: {listed(new)}.")
        if old:
            notices.append(f"existing foreign key violations were left as they are: {listed(old)}.")
        return tuple(notices)

    def _read_keys(self, facts: CatalogFacts | None) -> tuple[Key, ...]:
        has_keys = (read_facts(self._connection) if facts is None else facts).has_keys
        return read_keys(self._connection) if has_keys else ()

    def _unannounced(self, new: Iterable[Violation]) -> Iterator[Violation]:
        """Yield the violations in ``new`` that no migration announced.

        An announcement covers all keys of its table; or one of any table, if its table has been renamed since.
        """
        names = {fold(name) for (name,) in self._connection.execute("SELECT name FROM main.sqlite_master")}
        renamed = sum(table not in names for table in self._announced)
        for one in new:
            if one.error == MISMATCH and fold(one.key.table) in self._announced:
                continue
            if one.error == MISMATCH and renamed:
                renamed -= 1
                continue
            yield one


def new_violations(
    before: Sequence[Violation], after: Sequence[Violation], kept: Collection[KeyNames]
) -> tuple[Violation, ...]:
    """Return the new violations in ``after``; ``kept`` keys exist both times.

    A violation is old if a row with the same values lacked a parent by the same foreign key before. Keys that are not
    kept may have been renamed, so they all count as one. If tables swapped their names, a row with the same rowid and
    the same values is the same.
    """
    if before == after:
        return ()

    def by_key(one: Violation) -> object:
        return (one.key.names if one.key.names in kept else None, one.values, one.error)

    def by_row(one: Violation) -> object:
        return one if one.rowid is None else (one.rowid, one.values)

    return _unpaired(*_unpaired(before, after, by_key), by_row)[1]


def _unpaired(
    before: Sequence[Violation], after: Sequence[Violation], identity: Callable[[Violation], object]
) -> tuple[tuple[Violation, ...], tuple[Violation, ...]]:
    """Pair ``after`` with ``before`` by ``identity``; return the unpaired of both."""
    waiting = defaultdict[object, list[Violation]](list)
    for one in before:
        waiting[identity(one)].append(one)
    unpaired: list[Violation] = []
    for one in after:
        same = waiting[identity(one)]
        if same:
            same.pop()
        else:
            unpaired.append(one)
    return tuple(one for same in waiting.values() for one in same), tuple(unpaired)
