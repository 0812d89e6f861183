"""``rebase``: after a merge, renumber your branch's migrations so that they follow those of the main branch.

The main branch's migrations stay as they are, because databases may have run them. Generated migrations of your branch
that no longer work are replaced by one new migration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.generate import Plan, Planned, Request, plan_to_declared
from waiaas_migrate.authoring.merged_branches import Branches, naming_project_paths, read_branches
from waiaas_migrate.authoring.migration_names import heads, next_id, refuse_whitespace, slug_of
from waiaas_migrate.errors import ApplyError, MigrateError, MigrationsError, Problem
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.facts import Facts
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Entry, check_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import COMMENT, MigrationFile
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.replay import Replay, run_in_memory
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.sqlite.reading.introspect import introspect

_DEPENDS = re.compile(r"^\s*--\s*depends\s*:.*$")
#: git's markers of a merge conflict.
_MARKER = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased(Planned):
    """The result of ``rebase``. There is a new ``migration`` if schema.yaml needs more than the renumbered migrations.

    Args:
        renumbered: your branch's migrations that still work: the old id and the new id of each.
        replaced: your branch's generated migrations that no longer work, and were deleted.
    """

    renumbered: tuple[tuple[str, str], ...] = ()
    replaced: tuple[str, ...] = ()


@collection_paused()
def rebase(project: Project, *, onto: str | None = None, allow: Collection[str] = ()) -> Rebased:
    """After a merge, renumber your branch's migrations so that they follow those of the main branch.

    Both sides are read from git. The result is proved in memory first.

    Args:
        project: where the files are; schema.yaml is merged already.
        onto: the branch or commit to build on; the main branch if None.
        allow: codes of the hazards to allow, or ``all``.

    Raises:
        UsageError: ``allow`` names an unknown hazard, git finds no merge, or neither side is in the main branch.
        InputError: a file cannot be used, or a hand-written migration doesn't work after those of the main branch.
        ProofError: the new migration fails its proof.
    """
    allowed = allowed_codes(allow)
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    with read_branches(project, onto) as branches, naming_project_paths(project, branches.folder):
        if _is_rebased(project, branches):
            return Rebased(removed=removed)
        old = _read_files(project, branches)
        order, replaced, plan = _new_order(project, branches, allowed)
    planned = plan.result
    result = Rebased(
        renumbered=order.renumbered,
        replaced=replaced,
        migration=planned.migration,
        changes=planned.changes,
        hazards=planned.hazards,
        refused=planned.refused,
        removed=removed,
    )
    if plan.manifest is None:
        return result
    migrations = order.migrations if plan.new is None else (*order.migrations, plan.new)
    new = {name: text for migration in migrations for name, text in migration.files.items()}
    return replace(result, written=write_history(project.migrations, plan.manifest, old=old, new=new, seen=seen))


def _is_rebased(project: Project, branches: Branches) -> bool:
    """Return whether the manifest agrees with the files and lists your branch's migrations after the main branch's."""
    try:
        migrations, _, manifest = read_recorded(project.migrations)
    except MigrationsError:
        return False
    if manifest is None or check_manifest(manifest, migrations):
        return False
    main = branches.main.manifest.migrations
    has_added = not branches.added or len(manifest.migrations) > len(main)
    return manifest.migrations[: len(main)] == main and has_added


def _read_files(project: Project, branches: Branches) -> dict[str, str]:
    """Return the texts of the migrations in the folder, by file name; refuse files whose text would be lost."""
    known: dict[str, set[str]] = {}
    for migration in (*branches.main.migrations, *branches.yours.migrations):
        for name, text in migration.files.items():
            known.setdefault(name, set()).add(text)
    generated = {name for one in branches.added if not branches.is_by_hand(one) for name in one.files}
    texts: dict[str, str] = {}
    problems = []
    for path in sorted(project.migrations.iterdir()):
        if path.suffix not in {".sql", ".py"} or path.name.startswith(("post-apply", ".")):
            continue
        texts[path.name] = text = path.read_text(encoding="utf-8", errors="replace")
        if path.name not in known:
            what = "is a migration that neither branch has."
            fix = "Move it out of the folder, run `rebase` again, move it back, and run `waiaas-migrate record`."
            problems.append(Problem(file=str(path), what=what, fix=fix))
        elif text not in known[path.name] and not _MARKER.search(text) and path.name not in generated:
            what = "differs from both branches, so the edit would be lost."
            problems.append(Problem(file=str(path), what=what, fix="Restore it: `git checkout HEAD FILE`."))
    if problems:
        raise MigrationsError(problems)
    return texts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A new order of ``migrations``: first the main branch's, then your branch's, perhaps with a new one among them.

    ``entries`` are manifest entries, without hashes, for all but the main branch's migrations. ``renumbered`` has the
    old and new ids of your branch's migrations.
    """

    migrations: tuple[MigrationFile, ...]
    entries: tuple[Entry, ...] = ()
    renumbered: tuple[tuple[str, str], ...] = ()

    def with_next(self, migration: MigrationFile, facts: Facts) -> _Order:
        """Return the order with ``migration`` at its end."""
        entry = Entry(id=migration.id, hash="", facts=facts)
        return replace(self, migrations=(*self.migrations, migration), entries=(*self.entries, entry))


def _new_order(project: Project, branches: Branches, allowed: frozenset[Code]) -> tuple[_Order, tuple[str, ...], Plan]:
    """Return the new order, the ids of generated migrations that no longer work, and the plan of the new migration."""
    order = _Order(migrations=branches.main.migrations)
    remaining = list(branches.added)
    with suppress(MigrationsError):
        while remaining:
            order = _place(project, branches, order, remaining[0])
            remaining.pop(0)
    replaced = tuple(one.id for one in remaining if not branches.is_by_hand(one))
    by_hand = [one for one in remaining if one.id not in replaced]
    name = slug_of(replaced[0]) if replaced else None
    request = Request(project=project, migrations=(), recorded=None, name=name, allowed=allowed)
    if by_hand:
        # The hand-written migrations may need what the replaced migrations changed, so try the new migration first.
        if found := _plan_before(by_hand, request, branches, order):
            return found[0], replaced, found[1]
        for migration in by_hand:
            order = _place(project, branches, order, migration)
    return order, replaced, _plan_next(request, branches, order)


def _plan_before(
    by_hand: Sequence[MigrationFile], request: Request, branches: Branches, order: _Order
) -> tuple[_Order, Plan] | None:
    """Plan the new migration, and place those ``by_hand`` after it; return None if that fails or isn't enough.

    If hazards stop a new migration that ``by_hand`` needs, return ``order`` and the plan that reports the hazards.
    """
    try:
        plan = _plan_next(request, branches, order)
    except MigrateError:
        return None
    new, complete = plan.new, order
    if new is not None and plan.manifest is not None:
        complete = order.with_next(replace(new, path=branches.folder / new.path.name), plan.manifest.facts[new.id])
    try:
        for migration in by_hand:
            complete = _place(request.project, branches, complete, migration)
        if new is not None:
            remainder = _plan_next(replace(request, name=None), branches, complete)
            if remainder.new is None and not remainder.result.refused:
                return complete, replace(remainder, result=plan.result)
    except MigrateError:
        if plan.result.refused:
            return order, plan
    return None


def _place(project: Project, branches: Branches, order: _Order, migration: MigrationFile) -> _Order:
    """Return ``order`` with ``migration`` at its end, under the next number; refuse it if it doesn't work there."""
    name = next_id((one.id for one in order.migrations), slug_of(migration.id), ())
    refuse_whitespace(order.migrations, name)
    renamed = _renamed(migration, name, heads(order.migrations), branches.folder)
    if renamed.kind == "python":  # a Python migration runs from its file
        renamed.path.write_text(renamed.sql, encoding="utf-8", newline="")
    if reason := _reason_for_failure(order.migrations, renamed, is_by_hand=branches.is_by_hand(migration)):
        what = f"doesn't work after the main branch's migrations: {reason}"
        fix = "Nothing was changed. Correct it on your branch before the merge, run `record` there, and merge again."
        raise MigrationsError([Problem(file=str(project.migrations / migration.path.name), what=what, fix=fix)])
    facts = branches.yours.manifest.facts[migration.id]
    placed = order.with_next(renamed, replace(facts, catalog=None))
    return replace(placed, renumbered=(*placed.renumbered, (migration.id, name)))


def _plan_next(request: Request, branches: Branches, order: _Order) -> Plan:
    """Plan the migration that schema.yaml needs after ``order``."""
    main, yours = branches.main.manifest, branches.yours.manifest
    hints = main.hints
    if len(order.renumbered) == len(branches.added):  # all migrations that your branch's hints led to are placed
        hints = tuple(dict.fromkeys((*main.hints, *yours.hints)))
    recorded = replace(main, migrations=(*main.migrations, *order.entries), hints=hints)
    plan = plan_to_declared(replace(request, migrations=order.migrations, recorded=recorded))
    if plan.manifest is not None and plan.manifest.migrations[: len(main.migrations)] != main.migrations:
        what = "the main branch's migrations would be recorded differently."
        fix = "Nothing was changed. Run `waiaas-migrate record` on the main branch, then merge again."
        raise MigrationsError([Problem(file=str(request.project.migrations / MANIFEST), what=what, fix=fix)])
    return plan


def _reason_for_failure(before: Sequence[MigrationFile], new: MigrationFile, *, is_by_hand: bool) -> str | None:
    """Return the reason that ``new`` doesn't work after the migrations ``before``; None if it works.

    The rollback of a generated migration must work, too, and restore the schema.
    """
    migrations = (*before, new)
    with Replay(migrations) as replayed:
        try:
            start = introspect(replayed.run(before).connection)
            replayed.run(migrations)
            if is_by_hand:
                return None
            run_in_memory(replayed.connection, new, "rollback")
        except ApplyError as error:
            return error.reason
        return "its rollback doesn't restore the schema." if diff(introspect(replayed.connection), start) else None


def _renamed(migration: MigrationFile, name: str, depends: tuple[str, ...], folder: Path) -> MigrationFile:
    """Return ``migration`` as ``name`` in ``folder``, with other dependencies and the same statements."""
    if migration.kind == "python":
        depends = depends[-1:] if migration.depends else ()
        names = {migration.id: name, **{old: new for old in migration.depends for new in depends}}
        quoted = re.compile("(?<=[\"'])(" + "|".join(map(re.escape, names)) + ")(?=[\"'])")
        sql = quoted.sub(lambda found: names[found[0]], migration.sql)
    else:
        sql = _with_header(migration.sql, migration.id, name, depends)
    rollback = None if migration.rollback is None else _with_header(migration.rollback, migration.id, name, ())
    path = folder / f"{name}{migration.path.suffix}"
    return replace(migration, id=name, path=path, depends=depends, sql=sql, rollback=rollback)


def _with_header(text: str, old: str, new: str, depends: tuple[str, ...]) -> str:
    """Return ``text`` with the id ``new`` for ``old``, and with ``depends``, in the comments at its beginning."""
    lines = text.split("\n")
    end = next((number for number, line in enumerate(lines) if not COMMENT.match(line)), len(lines))
    header = [line.replace(old, new) for line in lines[:end] if not _DEPENDS.match(line)]
    if depends:
        index = next((number for number, line in enumerate(lines[:end]) if _DEPENDS.match(line)), 0)
        header.insert(index, f"-- depends: {' '.join(depends)}")
    return "\n".join([*header, *lines[end:]])
