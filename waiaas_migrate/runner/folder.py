"""The migrations of a folder and the facts in its manifest, which are read together and must agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from waiaas_migrate.errors import MigrationsError
from waiaas_migrate.files.migration_dir.facts import UNKNOWN, Facts, Replaced
from waiaas_migrate.files.migration_dir.manifest import Manifest, check_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, migration_hash
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.pragmas import Pragma
from waiaas_migrate.sqlite.database.url import StrPath
from waiaas_migrate.sqlite.planning.effects import Effects
from waiaas_migrate.sqlite.reading.ownership import OtherTools


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFolder:
    """The migrations of a folder in order, its post-apply hooks, and its manifest, if there is one."""

    path: Path
    migrations: tuple[MigrationFile, ...]
    post_apply: tuple[MigrationFile, ...] = ()
    manifest: Manifest | None = None
    #: Patterns for tables of other tools, besides the patterns in the manifest.
    ignore: tuple[str, ...] = ()
    #: The ids of the migrations, in their order.
    ids: tuple[str, ...] = field(init=False, compare=False, repr=False)
    #: The hash of each migration's text, by yoyo's hash of the migration's id.
    text_hashes: dict[str, str] = field(init=False, compare=False, repr=False)
    _by_id: dict[str, MigrationFile] = field(init=False, compare=False, repr=False)
    _facts: dict[str, Facts] = field(init=False, compare=False, repr=False)
    _manifest_hashes: dict[str, str] = field(init=False, compare=False, repr=False)
    #: The migrations that were squashed into the first one.
    replaces: tuple[Replaced, ...] = field(init=False, compare=False, repr=False)
    #: yoyo's hashes of the squashed migrations that are no longer in the folder.
    squashed_hashes: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Computed once, since the runner needs these values for every database of a fleet.
        object.__setattr__(self, "ids", tuple(migration.id for migration in self.migrations))
        object.__setattr__(self, "text_hashes", {migration_hash(one.id): one.text_hash for one in self.migrations})
        object.__setattr__(self, "_by_id", {migration.id: migration for migration in self.migrations})
        entries = () if self.manifest is None else self.manifest.migrations
        object.__setattr__(self, "_facts", {entry.id: entry.facts for entry in entries})
        object.__setattr__(self, "_manifest_hashes", {entry.id: entry.hash for entry in entries})
        replaces = self.facts(self.migrations[0]).replaces if self.migrations else ()
        object.__setattr__(self, "replaces", replaces)
        squashed = frozenset(migration_hash(one.id) for one in replaces if one.id not in self._by_id)
        object.__setattr__(self, "squashed_hashes", squashed)

    def named(self, names: Iterable[str]) -> tuple[MigrationFile, ...]:
        """Return the migrations with the ids ``names``, in the order of ``names``."""
        return tuple(self._by_id[name] for name in names)

    def without(self, names: Iterable[str]) -> tuple[MigrationFile, ...]:
        """Return all migrations but those with the ids ``names``, in the order of the folder."""
        excluded = frozenset(names)
        return tuple(migration for migration in self.migrations if migration.id not in excluded)

    def has_text_hash(self, key: str, text_hash: str) -> bool:
        """Return whether the migration ``key`` (yoyo's hash of its id) has this text, now or before a squash."""
        if self.text_hashes.get(key) == text_hash:
            return True
        return any(one.text_hash == text_hash and migration_hash(one.id) == key for one in self.replaces)

    def facts(self, migration: MigrationFile) -> Facts:
        """Return the facts that the manifest records about ``migration``; the worst case if it records none."""
        return self._facts.get(migration.id, UNKNOWN)

    def manifest_hash(self, migration: MigrationFile) -> str | None:
        """Return the manifest's hash of ``migration`` and all before it; None if the manifest lacks ``migration``."""
        return self._manifest_hashes.get(migration.id)

    def forward(self, migrations: Iterable[MigrationFile]) -> list[Effects]:
        """Return the effects of applying each of ``migrations``."""
        return [self.facts(migration).forward for migration in migrations]

    def rollback(self, migrations: Iterable[MigrationFile]) -> list[Effects]:
        """Return the effects of rolling back each of ``migrations``."""
        return [self.facts(migration).rollback for migration in migrations]

    @property
    def tables(self) -> frozenset[str]:
        """Return the folded names of the tables that the migrations touch, as far as the manifest records them."""
        return frozenset(fold(name) for one in self.forward(self.migrations) for name, _ in one.tables or ())

    @property
    def pragmas(self) -> tuple[Pragma, ...]:
        """Return the PRAGMAs that the manifest declares."""
        return () if self.manifest is None else self.manifest.pragmas

    @property
    def other_tools(self) -> OtherTools:
        """Return the patterns for tables of other tools."""
        recorded = () if self.manifest is None else self.manifest.ignore
        return OtherTools(patterns=(*self.ignore, *recorded))


def read_folder(path: StrPath) -> MigrationFolder:
    """Read a migrations folder.

    Raises:
        MigrationsError: the folder cannot be read or differs from its manifest; ``problems`` lists every difference.
    """
    folder = Path(path)
    migrations, post_apply, manifest = read_recorded(folder)
    if manifest is not None and (problems := check_manifest(manifest, migrations)):
        raise MigrationsError(problems)
    return MigrationFolder(path=folder, migrations=migrations, post_apply=post_apply, manifest=manifest)
