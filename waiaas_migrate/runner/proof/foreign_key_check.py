"""Check that a run adds no foreign key violations."""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

from waiaas_migrate.errors import ApplyError
from waiaas_migrate.runner.proof.differences import listed
from waiaas_migrate.runner.proof.violations import MISMATCH, Key, KeyNames, Violation, deleted, read_keys, violations
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogFacts, read_facts
from waiaas_migrate.sqlite.database.connection import database_name
from waiaas_migrate.sqlite.planning.effects import Effects


class ForeignKeyCheck:
    """A check that a run adds no foreign key violations.

    The check looks for violations before and after the run, but only of the foreign keys that the run can break. Other
    foreign keys cost no time, however many violations they have.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        effects: Sequence[Effects] | None = None,
        facts: CatalogFacts | None = None,
    ) -> None:
        """Prepare a check before the first statement of a run.

        ``effects`` are the effects of all migrations that will run in this transaction; None if they are unknown.
        ``facts`` are the facts of the catalog, if they have been read already.
        """
        self._connection = connection
        self._effects = effects if effects is not None and all(one.is_known for one in effects) else None
        self._announced: list[str] = []
        self._keys = self._read_keys(facts)
        self._touched = {fold(name) for one in self._effects or () for name, _ in one.tables or ()}
        self._safe = frozenset(filter(self._is_safe, self._keys))
        self._before: tuple[Violation, ...] = ()

    @property
    def reads_rows(self) -> bool:
        """Return whether the time of the check depends on the number of rows."""
        return len(self._safe) < len(self._keys)

    def begin(self) -> None:
        """Look for violations before the run."""
        self._before = self._violations(self._keys)

    def _is_safe(self, key: Key) -> bool:
        """Return whether the run can't add violations of ``key``, unless it changes the key itself."""
        if self._effects is None or any(one.changes_rows for one in self._effects):
            return False  # triggers may change rows of any table
        if not any(one.may_change_rows or one.changes_keys for one in self._effects):
            # If the parent is missing, the run may create it.
            return bool(key.targets) or fold(key.parent) not in self._touched
        return self._touched.isdisjoint((fold(key.table), fold(key.parent)))

    def _violations(self, keys: Iterable[Key]) -> tuple[Violation, ...]:
        """Check the ``keys`` that the run can break, and return the violations."""
        return tuple(violations(self._connection, [key for key in keys if key not in self._safe]))

    def announce(self, tables: Iterable[str]) -> None:
        """Declare that each table in ``tables`` will have one more foreign key that SQLite cannot enforce."""
        self._announced += map(fold, tables)

    def finish(self, migration: str, facts: CatalogFacts | None = None) -> tuple[str, ...]:
        """Return notices of old and announced violations; ``facts`` are the catalog's facts after the run, if known.

        Raises:
            ApplyError: ``migration`` added violations.
        """
        known = {key: key for key in self._keys}  # reuse the objects, since comparing an object with itself is faster
        keys = tuple(known.get(key, key) for key in self._read_keys(facts))
        after = self._violations(keys)
        kept = {key.names for key in self._keys} & {key.names for key in keys}
        new = self._new(after, kept)
        unannounced = tuple(self._unannounced(new))
        if unannounced:
            reason = f"new foreign key violations: {listed(unannounced)}."
            raise ApplyError(database=database_name(self._connection), migration=migration, reason=reason)
        expected = frozenset(new)
        old = [one for one in after if one not in expected] if new else after
        notices = []
        if new:
            notices.append(f"{migration} added foreign keys that SQLite cannot enforce, as announced: {listed(new)}.")
        if old:
            notices.append(f"existing foreign key violations were left as they are: {listed(old)}.")
        return tuple(notices)

    def _read_keys(self, facts: CatalogFacts | None) -> tuple[Key, ...]:
        has_keys = (read_facts(self._connection) if facts is None else facts).may_have_foreign_keys
        return read_keys(self._connection) if has_keys else ()

    def _new(self, after: Sequence[Violation], kept: Collection[KeyNames]) -> tuple[Violation, ...]:
        """Return the new violations in ``after``; ``kept`` are the keys that exist before and after the run.

        A violation is old if, before the run, a row with the same values lacked a parent by the same foreign key. It
        must be the row with the same rowid, unless that row's rowid changed or no longer exists. Keys that are not kept
        may have been renamed, so they all count as one key. If tables swapped their names, rows with the same rowid and
        values count as the same row.
        """
        if self._before == after:
            return ()
        by_key_and_rowid = partial(_identities_by_key, kept=kept, may_renumber=self._may_renumber)
        old, new = _unpaired(*_unpaired(self._before, after, by_key_and_rowid), _identities_by_row)
        if not new:
            return ()
        with_rowids = (one for one in old if one.key.names in kept and not self._may_renumber(one.key.table))
        by_key = partial(_identities_by_key, kept=kept, may_renumber=lambda _: True)
        return _unpaired(tuple(deleted(self._connection, with_rowids)), new, by_key)[1]

    def _may_renumber(self, table: str) -> bool:
        """Return whether the run may give rows of ``table`` the rowids of other rows, as a rebuild does."""
        return self._effects is None or fold(table) in {fold(name) for one in self._effects for name in one.rebuilt}

    def _unannounced(self, new: Collection[Violation]) -> Iterator[Violation]:
        """Yield the violations in ``new`` that no migration announced.

        An announcement covers all keys of its table. If the table was renamed after the announcement, it covers one key
        of any table.
        """
        if not new:
            return
        names = {fold(name) for (name,) in self._connection.execute("SELECT name FROM main.sqlite_master")}
        renamed = sum(table not in names for table in self._announced)
        for one in new:
            if one.error == MISMATCH and fold(one.key.table) in self._announced:
                continue
            if one.error == MISMATCH and renamed:
                renamed -= 1
                continue
            yield one


def _identities_by_key(
    found: Iterable[Violation], kept: Collection[KeyNames], may_renumber: Callable[[str], bool]
) -> Iterator[object]:
    """Yield an identity of each violation: kept key, values and error, and rowid unless the run may have changed it."""
    for key, of_key in itertools.groupby(found, lambda one: one.key):
        names = key.names if key.names in kept else None
        has_rowids = names is not None and not may_renumber(key.table)
        for _, rowid, values, error in of_key:
            yield names, rowid if has_rowids else None, values, error


def _identities_by_row(found: Iterable[Violation]) -> Iterator[object]:
    """Yield the rowid and values of each violation, whatever its key; the violation itself if there is no rowid."""
    return (one if one.rowid is None else (one.rowid, one.values) for one in found)


def _unpaired(
    before: Sequence[Violation],
    after: Sequence[Violation],
    identities: Callable[[Iterable[Violation]], Iterator[object]],
) -> tuple[tuple[Violation, ...], tuple[Violation, ...]]:
    """Pair violations with equal ``identities``; return the unpaired ones of ``before`` and of ``after``."""
    waiting = defaultdict[object, list[Violation]](list)
    for identity, old in zip(identities(before), before, strict=True):
        waiting[identity].append(old)
    unpaired: list[Violation] = []
    for identity, new in zip(identities(after), after, strict=True):
        same = waiting.get(identity)
        if same:
            same.pop()
        else:
            unpaired.append(new)
    return tuple(old for same in waiting.values() for old in same), tuple(unpaired)
