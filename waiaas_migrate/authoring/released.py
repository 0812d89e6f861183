"""Which migrations are released: databases of others may have run them, so they must not change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.git import merge_base_with_main, read_committed
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, ids_in
from waiaas_migrate.files.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The released migrations.

    Args:
        named: those up to the last one that the user named.
        on_main: those that ``branch`` had when the current branch left it.
        branch: the main branch; None without git or without a main branch.
    """

    named: frozenset[str] = frozenset()
    on_main: frozenset[str] = frozenset()
    branch: str | None = None

    @property
    def ids(self) -> frozenset[str]:
        """Return the ids of all of them."""
        return self.named | self.on_main

    def reason(self, name: str) -> str | None:
        """Return why the migration ``name`` is released; None if it isn't."""
        if name in self.on_main:
            return f"the branch {self.branch} has it"
        return "--released includes it" if name in self.named else None


def read_released(project: Project, ids: Sequence[str], named: Collection[str] = ()) -> Released:
    """Return which migrations of the project are released.

    These are the ones that ``manifest.json`` lists at the merge base with the main branch, and the ``named`` ones with
    all before them. Without git, nothing else is known.

    Args:
        project: where the files are, and the name of the main branch, if it has one of its own.
        ids: the ids of the migrations, in their order.
        named: ids that the user calls released.

    Raises:
        UsageError: ``named`` has an unknown id, or git has no branch of the name that pyproject.toml gives.
        MigrationsError: the committed manifest can't be read.
    """
    for name in named:
        if name not in ids:
            raise UsageError(
                f"--released {name}: no such migration. Name one of: {', '.join(ids) or 'there are none'}."
            )
    upto = max((ids.index(name) + 1 for name in named), default=0)
    found = merge_base_with_main(project.migrations, project.main_branch)
    if found is None:
        return Released(named=frozenset(ids[:upto]))
    text = read_committed(project.migrations, found.commit, MANIFEST)
    on_main = frozenset() if text is None else frozenset(ids_in(text, f"{found.branch}:{MANIFEST}"))
    return Released(named=frozenset(ids[:upto]), on_main=on_main, branch=found.branch)
