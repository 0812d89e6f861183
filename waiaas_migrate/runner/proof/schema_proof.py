"""The schema before and after a run: what may be run on it, and whether the run did what it should."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from waiaas_migrate.errors import DatabaseRefused, MigrateError
from waiaas_migrate.files.migration_dir.facts import mark
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.proof.differences import Difference, differences
from waiaas_migrate.runner.proof.reword import reword
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogFacts
from waiaas_migrate.sqlite.database.catalog import fingerprint as fingerprint_of
from waiaas_migrate.sqlite.database.connection import database_name
from waiaas_migrate.sqlite.planning.effects import Effects

_SHOWN = 5


class SchemaProof:
    """What differs from the migrations as a run begins, and whether more does at its end.

    If the catalog has the fingerprint that was recorded for this point of the history, nothing differs, and nothing
    else is read. If not, the applied migrations are replayed in memory. Manual changes stay allowed as long as the run
    leaves them alone: only what a run rebuilds must be exactly what the migrations made.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: MigrationFolder,
        applied: Sequence[MigrationFile],
        facts: CatalogFacts,
    ) -> None:
        """Begin on a database that has run ``applied`` of ``folder``, and whose catalog has these ``facts``."""
        self._connection, self._folder = connection, folder
        self._before: list[Difference] | None = []
        self._kept: list[Difference] = []
        self._gone: list[Difference] = []
        self._reworded: tuple[str, ...] = ()
        self._applied = applied
        self._is_as_recorded = _is_recorded(folder, applied, facts)
        if not self._is_as_recorded:
            try:
                self._before = differences(connection, applied, folder)
            except MigrateError:  # they were applied in another order, or on what they don't make themselves
                self._before = None

    def prepare(self, effects: Sequence[Effects]) -> None:
        """Refuse what :meth:`refuse` refuses; give tables that mean what the migrations make the migrations' own words.

        Their edits look for those.

        Raises:
            DatabaseRefused: says what differs.
        """
        self.refuse(effects)
        touched = {fold(name) for one in effects for name, _ in one.tables or ()}
        if self._before is not None and touched and not self._is_as_recorded:
            other = {one.subject[1] for one in self._before if one.subject[0] == "table"}
            self._reworded = reword(self._connection, self._applied, touched=touched, other=other)

    def refuse(self, effects: Sequence[Effects]) -> None:
        """Refuse manual changes to what is about to be rebuilt, and so would be lost.

        If nobody knows what a migration does, that is everything that the migrations make.

        Raises:
            DatabaseRefused: says what differs.
        """
        before = self._before or []
        rebuilt = {fold(name) for one in effects for name in one.rebuilt}
        extra = {one.subject[1] for one in before if one.is_extra}
        found = [one for one in before if one.table in rebuilt]
        if not all(one.is_known for one in effects):
            found = [one for one in before if one.subject[1] not in extra and one.table not in extra]
        if found:
            raise DatabaseRefused(
                f"{database_name(self._connection)}: what migrations are about to rebuild was changed by hand: "
                f"{listed(found)}. Nothing was changed. Undo the manual change, then try again; "
                f"`waiaas-migrate drift` lists every difference."
            )

    def new(self, applied: Sequence[MigrationFile], facts: CatalogFacts) -> list[Difference]:
        """What differs by now, and did not before, from what the migrations ``applied`` make."""
        known = self._before or []
        self._kept, self._gone = [], known
        if not _is_beginning(self._folder, applied) or _is_recorded(self._folder, applied, facts):
            return []
        found = differences(self._connection, applied, self._folder)
        self._kept = [one for one in found if one in known]
        self._gone = [one for one in known if one not in found]
        return [one for one in found if one not in known]

    @property
    def notices(self) -> tuple[str, ...]:
        """What was changed by hand, and what became of it, once :meth:`new` was asked."""
        said = []
        if self._kept:
            said.append(f"the schema was changed by hand, and left as it was: {listed(self._kept)}.")
        if self._gone:
            said.append(f"changes by hand that the migrations replaced: {listed(self._gone)}.")
        if self._reworded:
            names = ", ".join(self._reworded)
            said.append(f"{names}: the definition now has the migrations' own words; it means the same as before.")
        return tuple(said)


def proof_of(
    connection: sqlite3.Connection, folder: MigrationFolder, applied: Sequence[MigrationFile], facts: CatalogFacts
) -> SchemaProof | None:
    """The proof of a run on this database; None if no fingerprint is recorded, as without a manifest."""
    if folder.manifest is None or folder.manifest.fingerprint is None:
        return None
    return SchemaProof(connection, folder, applied, facts)


def listed(found: Sequence[Difference]) -> str:
    """Differences in words."""
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(one.words for one in found[:_SHOWN]) + more


def _is_recorded(folder: MigrationFolder, applied: Sequence[MigrationFile], facts: CatalogFacts) -> bool:
    """Whether this is the catalog that the manifest records after the migrations ``applied``."""
    if not _is_beginning(folder, applied):
        return False
    found = folder.others.fingerprints(facts)
    if not applied:
        return fingerprint_of(()) in found
    if len(applied) == len(folder.migrations) and folder.manifest is not None:
        return folder.manifest.fingerprint in found
    return folder.facts(applied[-1]).catalog in {mark(one) for one in found}


def _is_beginning(folder: MigrationFolder, applied: Sequence[MigrationFile]) -> bool:
    """Whether ``applied`` are the first migrations of ``folder``, in its order."""
    return tuple(migration.id for migration in applied) == folder.ids[: len(applied)]
