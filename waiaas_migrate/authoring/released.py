"""Find the released migrations: other people's databases may have run them, so they must not change."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.git import merge_base_with_main, read_committed
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, ids_in
from waiaas_migrate.files.project import Project


def reasons_released(project: Project, ids: Sequence[str], named: Collection[str] = ()) -> dict[str, str]:
    """Return the ids of the released migrations, each with the reason.

    A migration is released if ``manifest.json`` lists it at the merge base with the main branch, or if ``named`` has
    its id or the id of a later migration. Without git, only ``named`` counts.

    Args:
        project: where the files are; pyproject.toml may name the main branch.
        ids: the ids of all migrations, in order.
        named: ids that the user calls released.

    Raises:
        UsageError: ``named`` has an unknown id, or git has no branch of the name that pyproject.toml gives.
        MigrationsError: the committed manifest can't be read.
    """
    for name in named:
        if name not in ids:
            listed = ", ".join(ids) or "there are none"
            raise UsageError(f"--released {name}: no such migration. Name one of: {listed}.")
    end = max((ids.index(name) + 1 for name in named), default=0)
    reasons = dict.fromkeys(ids[:end], "--released includes it")
    base = merge_base_with_main(project.migrations, project.main_branch)
    if base is not None and (text := read_committed(project.migrations, base.commit, MANIFEST)) is not None:
        on_main = ids_in(text, f"{base.branch}:{MANIFEST}")
        reasons |= dict.fromkeys(on_main, f"the branch {base.branch} has it")
    return reasons
