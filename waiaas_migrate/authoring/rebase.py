"""``rebase``: after a merge, put the other branch's migrations after those of the main branch."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from waiaas_migrate.authoring.generate import Plan, Planned, Request, plan_declared
from waiaas_migrate.authoring.merged_branches import Branches, in_project, read_branches
from waiaas_migrate.authoring.migration_names import heads, next_id, refuse_whitespace, slug_of
from waiaas_migrate.errors import ApplyError, MigrateError, MigrationsError, Problem
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.facts import Facts
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Entry, check_manifest, read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_history
from waiaas_migrate.files.project import Project
from waiaas_migrate.runner.replay import Replay, run_in_memory
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.sqlite.reading.introspect import introspect

_COMMENT = re.compile(r"^(\s*|\s*--.*)$")
_DEPENDS = re.compile(r"^\s*--\s*depends\s*:.*$")
_MARKER = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased(Planned):
    """What ``rebase`` did; ``migration`` is the new one for what schema.yaml still needs.

    Args:
        renumbered: the other branch's migrations that still work: the old id and the new one.
        replaced: its generated migrations that were deleted, since they no longer work.
    """

    renumbered: tuple[tuple[str, str], ...] = ()
    replaced: tuple[str, ...] = ()


@collection_paused()
def rebase(project: Project, *, onto: str | None = None, allow: Collection[str] = ()) -> Rebased:
    """After a merge, put the other branch's migrations after those of the main branch, proved in memory.

    Both sides are read from git. The main branch's migrations stay as they are.

    Args:
        project: where the files are; schema.yaml is merged already.
        onto: the branch to build on; the main branch if None.
        allow: codes of the hazards to allow, or ``all``.

    Raises:
        UsageError: ``allow`` names an unknown hazard, or git has no merge, or doesn't know the main branch.
        InputError: a file cannot be used, or a hand-written migration doesn't work after the main branch's.
        ProofError: the new migration fails its proof.
    """
    allowed = allowed_codes(allow)
    removed, seen = recover(project.migrations), folder_state(project.migrations)
    with read_branches(project, onto) as branches, in_project(project, branches.folder):
        if _is_done(project, branches):
            return Rebased(removed=removed)
        old = _texts(project, branches)
        order, replaced, plan = _rebased(project, branches, allowed)
    done = plan.result
    result = Rebased(
        renumbered=order.renumbered,
        replaced=replaced,
        migration=done.migration,
        changes=done.changes,
        hazards=done.hazards,
        refused=done.refused,
        removed=removed,
    )
    if plan.manifest is None:
        return result
    new = {} if plan.new is None else plan.new.files
    new = {name: text for one in order.migrations for name, text in one.files.items()} | new
    return replace(result, written=write_history(project.migrations, plan.manifest, old=old, new=new, seen=seen))


def _is_done(project: Project, branches: Branches) -> bool:
    """Return whether the manifest lists the main branch's migrations first, and agrees with the files."""
    try:
        migrations, _, manifest = read_recorded(project.migrations)
    except MigrationsError:
        return False
    if manifest is None or check_manifest(manifest, migrations):
        return False
    main = branches.main.manifest.migrations
    added = {one.id for one in branches.added}
    has_all = not added or len(manifest.migrations) > len(main)
    return manifest.migrations[: len(main)] == main and has_all


def _texts(project: Project, branches: Branches) -> dict[str, str]:
    """Return the texts of the migrations in the folder, by the names of their files.

    Raises:
        MigrationsError: neither branch has a file, or a hand-written file differs from both branches.
    """
    known: dict[str, set[str]] = {}
    for migration in (*branches.main.migrations, *branches.own.migrations):
        for name, text in migration.files.items():
            known.setdefault(name, set()).add(text)
    generated = {name for one in branches.added if not _is_by_hand(branches, one) for name in one.files}
    found: dict[str, str] = {}
    problems = []
    for path in sorted(project.migrations.iterdir()):
        if path.suffix not in {".sql", ".py"} or path.name.startswith(("post-apply", ".")):
            continue
        text = path.read_bytes().decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        found[path.name] = text
        if path.name not in known:
            what = "is a migration that neither branch has."
            fix = "Commit it before the merge, or move it away, run this again, and record it afterwards."
            problems.append(Problem(file=str(path), what=what, fix=fix))
        elif text not in known[path.name] and not _MARKER.search(text) and path.name not in generated:
            what = "differs from both branches, so the edit would be lost."
            problems.append(Problem(file=str(path), what=what, fix="Restore it: `git checkout HEAD FILE`."))
    if problems:
        raise MigrationsError(problems)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """The migrations of the main branch, and those that were placed after them.

    Args:
        migrations: all of them, in their order.
        placed: the entries of those that were placed.
        renumbered: the old and the new ids of those from the other branch.
    """

    migrations: tuple[MigrationFile, ...]
    placed: tuple[Entry, ...] = ()
    renumbered: tuple[tuple[str, str], ...] = ()

    def with_next(self, migration: MigrationFile, facts: Facts) -> _Order:
        """Return the order with ``migration`` at its end."""
        entry = Entry(id=migration.id, hash="", facts=facts)
        return replace(self, migrations=(*self.migrations, migration), placed=(*self.placed, entry))


def _rebased(project: Project, branches: Branches, allowed: frozenset[Code]) -> tuple[_Order, tuple[str, ...], Plan]:
    """Return the new order, the generated migrations that it leaves out, and the plan for the next migration."""
    order = _Order(migrations=branches.main.migrations)
    rest = list(branches.added)
    with suppress(MigrationsError):
        while rest:
            order = _place(project, branches, order, rest[0])
            rest.pop(0)
    replaced = tuple(one.id for one in rest if not _is_by_hand(branches, one))
    later = [one for one in rest if one.id not in replaced]
    name = slug_of(replaced[0]) if replaced else None
    request = Request(project=project, migrations=(), recorded=None, name=name, allowed=allowed)
    if later:
        # The migration for the rest goes before the hand-written ones, which may need it, or else after them.
        if first := _plan_first(request, branches, order, later):
            return first[0], replaced, first[1]
        order = _place_all(project, branches, order, later)
    return order, replaced, _plan(request, branches, order)


def _plan_first(
    request: Request, branches: Branches, order: _Order, later: Sequence[MigrationFile]
) -> tuple[_Order, Plan] | None:
    """Plan the migration for the rest, then place the hand-written ``later``; return None if either fails.

    If hazards stop a migration that the hand-written ones need, return the plan without a manifest.
    """
    try:
        plan = _plan(request, branches, order)
    except MigrateError:
        return None
    new, start = plan.new, order
    if new is not None and plan.manifest is not None:
        start = order.with_next(replace(new, path=branches.folder / new.path.name), plan.manifest.facts[new.id])
    try:
        done = _place_all(request.project, branches, start, later)
        if new is not None:
            again = _plan(replace(request, name=None), branches, done)
            if again.new is None and not again.result.refused:
                return done, replace(again, result=plan.result)
    except MigrateError:
        if plan.result.refused:
            return order, plan
    return None


def _place_all(project: Project, branches: Branches, order: _Order, migrations: Sequence[MigrationFile]) -> _Order:
    for migration in migrations:
        order = _place(project, branches, order, migration)
    return order


def _place(project: Project, branches: Branches, order: _Order, migration: MigrationFile) -> _Order:
    """Return ``order`` with ``migration`` at its end, under the next number.

    Raises:
        MigrationsError: it doesn't work there.
    """
    name = next_id((one.id for one in order.migrations), slug_of(migration.id), ())
    refuse_whitespace(order.migrations, name)
    renamed = _renamed(migration, name, heads(order.migrations), branches.folder)
    if renamed.kind == "python":  # a Python migration runs from its file
        renamed.path.write_text(renamed.sql, encoding="utf-8", newline="")
    if problem := _problem(order.migrations, renamed, is_by_hand=_is_by_hand(branches, migration)):
        what = f"doesn't work after the main branch's migrations: {problem}"
        fix = "Nothing was changed. Correct it on your branch before the merge, run `record` there, and merge again."
        raise MigrationsError([Problem(file=str(project.migrations / migration.path.name), what=what, fix=fix)])
    facts = branches.own.manifest.facts[migration.id]
    placed = order.with_next(renamed, replace(facts, catalog=None))
    return replace(placed, renumbered=(*placed.renumbered, (migration.id, name)))


def _plan(request: Request, branches: Branches, order: _Order) -> Plan:
    """Plan what schema.yaml needs after ``order``."""
    main, own = branches.main.manifest, branches.own.manifest
    hints = main.hints
    if len(order.renumbered) == len(branches.added):  # all that the other branch renamed stays renamed
        hints = tuple(dict.fromkeys((*main.hints, *own.hints)))
    recorded = replace(main, migrations=(*main.migrations, *order.placed), hints=hints)
    plan = plan_declared(replace(request, migrations=order.migrations, recorded=recorded))
    if plan.manifest is not None and plan.manifest.migrations[: len(main.migrations)] != main.migrations:
        what = "the main branch's migrations would be recorded differently."
        fix = "Nothing was changed. Run `waiaas-migrate record` on the main branch, then merge again."
        raise MigrationsError([Problem(file=str(request.project.migrations / MANIFEST), what=what, fix=fix)])
    return plan


def _problem(before: Sequence[MigrationFile], new: MigrationFile, *, is_by_hand: bool) -> str | None:
    """Return why ``new`` doesn't work after ``before``; None if it does.

    The rollback of a generated one must restore the schema.
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


def _is_by_hand(branches: Branches, migration: MigrationFile) -> bool:
    return migration.kind == "python" or branches.own.manifest.facts[migration.id].by_hand


def _renamed(migration: MigrationFile, name: str, depends: tuple[str, ...], folder: Path) -> MigrationFile:
    """Return ``migration`` under another name in ``folder``; its statements stay."""
    if migration.kind == "python":
        depends = depends[-1:] if migration.depends else ()
        names = {migration.id: name, **{old: new for old in migration.depends for new in depends}}
        quoted = re.compile("(?<=[\"'])(" + "|".join(map(re.escape, names)) + ")(?=[\"'])")
        sql = quoted.sub(lambda found: names[found[0]], migration.sql)
    else:
        sql = _header(migration.sql, migration.id, name, depends)
    rollback = None if migration.rollback is None else _header(migration.rollback, migration.id, name, ())
    path = folder / f"{name}{migration.path.suffix}"
    return replace(migration, id=name, path=path, depends=depends, sql=sql, rollback=rollback)


def _header(text: str, old: str, new: str, depends: tuple[str, ...]) -> str:
    """Return ``text`` with another name and ``depends`` line in the comments before its first statement."""
    line = f"-- depends: {' '.join(depends)}"
    lines = text.split("\n")
    end = next((number for number, one in enumerate(lines) if not _COMMENT.match(one)), len(lines))
    head = [one.replace(old, new) for one in lines[:end] if not _DEPENDS.match(one)]
    at = next((number for number, one in enumerate(lines[:end]) if _DEPENDS.match(one)), 0)
    return "\n".join([*head[:at], *([line] if depends else []), *head[at:], *lines[end:]])
