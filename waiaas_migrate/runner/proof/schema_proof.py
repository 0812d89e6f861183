"""Compare a database's schema with its migrations before a run, to keep manual changes, and again before COMMIT."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from waiaas_migrate.errors import DatabaseRefused, MigrateError
from waiaas_migrate.files.migration_dir.facts import short_fingerprint
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.runner.folder import MigrationFolder
from waiaas_migrate.runner.proof.differences import Difference, differences, listed
from waiaas_migrate.runner.proof.reword import find_new_texts, write_texts
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.catalog import CatalogFacts
from waiaas_migrate.sqlite.database.catalog import fingerprint as fingerprint_of
from waiaas_migrate.sqlite.database.connection import database_name
from waiaas_migrate.sqlite.planning.effects import Effects


class SchemaProof:
    """The differences between a schema and its migrations before a run, to find out whether the run adds any.

    If the catalog has the fingerprint that the manifest records for the applied migrations, there are no differences.
    Otherwise the migrations are replayed in memory, and both schemas are compared. Manual changes stay, but a table
    that the run rebuilds must be exactly as the migrations made it, since the rebuild would undo its manual changes.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        folder: MigrationFolder,
        applied: Sequence[MigrationFile],
        facts: CatalogFacts,
    ) -> None:
        """Find the differences of a database that has run ``applied``, and whose catalog has these ``facts``."""
        self._connection, self._folder, self._applied = connection, folder, applied
        differences_before = replayed_differences(connection, folder, applied, facts)
        self._before = differences_before or []
        self._can_reword = differences_before is not None
        #: Sentences about manual changes that were kept or replaced, and about definitions that were reworded.
        self.notices: list[str] = []

    def prepare(self, effects: Sequence[Effects]) -> None:
        """Refuse to lose manual changes; then write the migrations' texts of the affected tables into the catalog.

        A migration that edits a definition searches the catalog for a piece of this text.

        Raises:
            DatabaseRefused: names the differences.
        """
        self.refuse(effects)
        touched = {fold(name) for one in effects for name, _ in one.tables or ()}
        if self._can_reword and touched:
            differing = {one.subject for one in self._before}
            same = {("table", name) for name in touched} - differing
            texts, _ = find_new_texts(self._connection, self._applied, same)
            if texts and write_texts(self._connection, texts):
                tables = ", ".join(name for _, name in texts)
                self.notices.append(f"definitions with the same meaning now have the migrations' text: {tables}.")

    def refuse(self, effects: Sequence[Effects]) -> None:
        """Refuse to lose manual changes to tables that are about to be rebuilt.

        A migration with unknown effects may rebuild any table that the migrations make.

        Raises:
            DatabaseRefused: names the differences.
        """
        if all(one.is_known for one in effects):
            rebuilt = {fold(name) for one in effects for name in one.rebuilt}
            found = [one for one in self._before if one.table in rebuilt]
        else:
            extra = {one.subject[1] for one in self._before if one.is_extra}
            found = [one for one in self._before if one.subject[1] not in extra and one.table not in extra]
        if found:
            raise DatabaseRefused(
                f"{database_name(self._connection)}: migrations would rebuild tables that were changed by hand: "
                f"{listed(found)}. Nothing was changed. Undo the manual change, then try again; "
                f"`waiaas-migrate drift` lists every difference."
            )

    def new_differences(self, applied: Sequence[MigrationFile], facts: CatalogFacts) -> list[Difference]:
        """Return the differences that the run added; add notices about the differences from before the run.

        ``facts`` are the catalog's facts after the run. Return none if ``applied`` aren't the first of the folder.
        """
        found: list[Difference] = []
        if _are_first(self._folder, applied) and not is_recorded(self._folder, applied, facts):
            found = differences(self._connection, applied, self._folder)
        kept = [one for one in found if one in self._before]
        replaced = [one for one in self._before if one not in found]
        if replaced:
            self.notices.insert(0, f"the migrations replaced manual schema changes: {listed(replaced)}.")
        if kept:
            self.notices.insert(0, f"manual schema changes were left as they are: {listed(kept)}.")
        return [one for one in found if one not in self._before]


def proof_of(
    connection: sqlite3.Connection, folder: MigrationFolder, applied: Sequence[MigrationFile], facts: CatalogFacts
) -> SchemaProof | None:
    """Return a new :class:`SchemaProof`; None if the manifest is missing or records no fingerprint of the schema."""
    if folder.manifest is None or folder.manifest.fingerprint is None:
        return None
    return SchemaProof(connection, folder, applied, facts)


def replayed_differences(
    connection: sqlite3.Connection, folder: MigrationFolder, applied: Sequence[MigrationFile], facts: CatalogFacts
) -> list[Difference] | None:
    """Return the differences from the schema that ``applied`` make; None if the manifest records this schema.

    Also return None if ``applied`` can't be replayed, because they were applied in another order, or change tables that
    they don't create.
    """
    if is_recorded(folder, applied, facts):
        return None
    try:
        return differences(connection, applied, folder)
    except MigrateError:
        return None


def is_recorded(folder: MigrationFolder, applied: Sequence[MigrationFile], facts: CatalogFacts) -> bool:
    """Return whether the catalog with these ``facts`` is the one that the manifest records after ``applied``."""
    if not _are_first(folder, applied):
        return False
    found = folder.other_tools.fingerprints(facts)
    if not applied:
        return fingerprint_of(()) in found
    if len(applied) == len(folder.migrations) and folder.manifest is not None:
        return folder.manifest.fingerprint in found
    return folder.facts(applied[-1]).catalog in {short_fingerprint(one) for one in found}


def _are_first(folder: MigrationFolder, applied: Sequence[MigrationFile]) -> bool:
    return tuple(migration.id for migration in applied) == folder.ids[: len(applied)]
