"""Which migrations are released: databases of others may have run them, so they must not change."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from waiaas_migrate.errors import UsageError
from waiaas_migrate.files.git import merge_base_with_main, read_committed
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, ids_in
from waiaas_migrate.files.project import Project


def reasons_released(project: Project, ids: Sequence[str], named: Collection[str] = ()) -> dict[str, str]:
    """Return the released migrations of the project, each with the reason.

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
    end = max((ids.index(name) + 1 for name in named), default=0)
    reasons = dict.fromkeys(ids[:end], "--released includes it")
    found = merge_base_with_main(project.migrations, project.main_branch)
    text = None if found is None else read_committed(project.migrations, found.commit, MANIFEST)
    if found is not None and text is not None:
        on_main = ids_in(text, f"{found.branch}:{MANIFEST}")
        reasons |= dict.fromkeys(on_main, f"the branch {found.branch} has it")
    return reasons
