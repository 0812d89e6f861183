"""``rebase``: after a merge, put the other branch's migrations after those of the main branch."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from waiaas_migrate.authoring.generate import Generated, Writer, generate_with
from waiaas_migrate.authoring.merged_branches import Branches, in_project, read_branches
from waiaas_migrate.authoring.migration_names import heads, next_id
from waiaas_migrate.errors import ApplyError, MigrateError, MigrationsError, Problem
from waiaas_migrate.files.garbage_collection import collection_paused
from waiaas_migrate.files.migration_dir.facts import Facts
from waiaas_migrate.files.migration_dir.manifest import (
    MANIFEST,
    Entry,
    Manifest,
    check_manifest,
    manifest_text,
    read_recorded,
)
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, read_migrations
from waiaas_migrate.files.migration_dir.write_files import folder_state, recover, write_files
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import placed
from waiaas_migrate.runner.replay import replay, run_in_memory
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.hazards.hazard import Code, Hazard
from waiaas_migrate.sqlite.database.memory import copy
from waiaas_migrate.sqlite.reading.introspect import introspect

_ROLLBACK = ".rollback.sql"
_COMMENT = re.compile(r"^(\s*|\s*--.*)$")
_DEPENDS = re.compile(r"^\s*--\s*depends\s*:.*$")
_MARKER = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """What ``rebase`` did.

    Args:
        renumbered: the other branch's migrations that still work: the old id and the new one.
        replaced: its generated migrations that were deleted, since they no longer work.
        migration: the id of the new migration for what schema.yaml still needs; None if it needs nothing.
        changes: its changes in words.
        hazards: its hazards.
        refused: the hazards that stopped it.
        written: the files that were written.
        removed: files of an interrupted run that were deleted.
    """

    renumbered: tuple[tuple[str, str], ...] = ()
    replaced: tuple[str, ...] = ()
    migration: str | None = None
    changes: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    refused: tuple[Hazard, ...] = ()
    written: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()


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
        _refuse_unknown(project, branches)
        result, manifest, new = _rebased(project, branches, allowed)
        hazards, refused = (
            placed(found, project.schema, root=project.root) for found in (result.hazards, result.refused)
        )
        result = replace(result, hazards=hazards, refused=refused, removed=removed)
        if manifest is None:
            return result
        files = _texts(branches.folder, manifest.ids) | ({} if new is None else _files(new))
    there = _texts(project.migrations, {*branches.main.manifest.ids, *branches.own.manifest.ids})
    changed = {name: text for name, text in files.items() if there.get(name) != text}
    gone = tuple(name for name in there if name not in files or name in changed)
    text = {MANIFEST: manifest_text(manifest)}
    return replace(result, written=write_files(project.migrations, {**changed, **text}, removed=gone, seen=seen))


def _is_done(project: Project, branches: Branches) -> bool:
    """Return whether the folder lists the main branch's migrations first, and is as its manifest says."""
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


def _refuse_unknown(project: Project, branches: Branches) -> None:
    """Refuse files that neither branch has, and edits of hand-written migrations."""
    known: dict[str, set[str]] = {}
    for migration in (*branches.main.migrations, *branches.own.migrations):
        for name, text in _files(migration).items():
            known.setdefault(name, set()).add(text)
    generated = {one.id for one in branches.added if not _is_by_hand(branches, one)}
    problems = []
    for path in sorted(project.migrations.iterdir()):
        if path.suffix not in {".sql", ".py"} or path.name.startswith(("post-apply", ".")):
            continue
        text = _read(path)
        if path.name not in known:
            fix = "Commit it before the merge, or move it away, run this again, and record it afterwards."
            problems.append(Problem(file=str(path), what="is a migration that neither branch has.", fix=fix))
        elif text not in known[path.name] and not _MARKER.search(text) and _stem(path.name) not in generated:
            what, fix = (
                "differs from both branches, so the edit would be lost.",
                "Restore it: `git checkout HEAD FILE`.",
            )
            problems.append(Problem(file=str(path), what=what, fix=fix))
    if problems:
        raise MigrationsError(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Collector(Writer):
    """Keeps what ``generate`` would write."""

    found: list[tuple[Manifest, MigrationFile | None]] = field(default_factory=list)

    def write(self, done: Generated, manifest: Manifest, new: MigrationFile | None = None) -> Generated:
        """Keep ``manifest`` and ``new``."""
        self.found.append((manifest, new))
        return done


def _rebased(
    project: Project, branches: Branches, allowed: frozenset[Code]
) -> tuple[Rebased, Manifest | None, MigrationFile | None]:
    """Return the result, and the manifest and the new migration to write; no manifest if hazards stop it.

    Leaves the renumbered migrations in the temporary folder.
    """
    placing = _Placing(project=project, branches=branches)
    rest = list(branches.added)
    while rest and placing.place(rest[0]):
        rest.pop(0)
    replaced = tuple(one.id for one in rest if not _is_by_hand(branches, one))
    later = [one for one in rest if one.id not in replaced]
    slug = _slug(replaced[0]) if replaced else None
    if later:
        # The migration for the rest goes before the hand-written ones, which may need it, or else after them.
        if found := _before(placing, later, slug, allowed):
            done, manifest = found
            return _result(done, replaced, placing.renumbered), manifest, None
        for migration in later:
            placing.place(migration, must=True)
    done, manifest, new = placing.generate(slug, allowed)
    return _result(done, replaced, placing.renumbered), manifest, new


def _result(done: Generated, replaced: tuple[str, ...], renumbered: Sequence[tuple[str, str]]) -> Rebased:
    return Rebased(
        renumbered=tuple(renumbered),
        replaced=replaced,
        migration=done.migration,
        changes=done.changes,
        hazards=done.hazards,
        refused=done.refused,
    )


def _before(
    placing: _Placing, later: Sequence[MigrationFile], slug: str | None, allowed: frozenset[Code]
) -> tuple[Generated, Manifest | None] | None:
    """Generate first, then place the hand-written ``later``; return None, with nothing placed, if that fails.

    If hazards stop it and the hand-written ones need it, return these, without a manifest.
    """
    start = placing.state()
    try:
        done, manifest, new = placing.generate(slug, allowed)
        if manifest is not None and new is not None:
            placing.add(new, manifest.facts[new.id])
            for migration in later:
                placing.place(migration, must=True)
            again, manifest, more = placing.generate(None, allowed)
            if more is None and not again.refused:
                return done, manifest
        elif done.refused and not all(placing.place(migration) for migration in later):
            return done, None
    except MigrateError:
        pass
    placing.restore(start)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placing:
    """Places migrations after those of the main branch, in the temporary folder."""

    project: Project
    branches: Branches
    renumbered: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, Facts | None] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.branches.folder

    def migrations(self) -> tuple[MigrationFile, ...]:
        return read_migrations(self.folder)

    def state(self) -> tuple[list[tuple[str, str]], dict[str, Facts | None]]:
        return list(self.renumbered), dict(self.facts)

    def restore(self, state: tuple[list[tuple[str, str]], dict[str, Facts | None]]) -> None:
        for name in set(self.facts) - set(state[1]):
            self._remove(name)
            del self.facts[name]
        self.renumbered[:] = state[0]

    def _remove(self, name: str) -> None:
        for file in _texts(self.folder, [name]):
            (self.folder / file).unlink()

    def add(self, migration: MigrationFile, facts: Facts | None) -> None:
        for name, text in _files(migration).items():
            (self.folder / name).write_text(text, encoding="utf-8", newline="")
        self.facts[migration.id] = facts

    def place(self, migration: MigrationFile, *, must: bool = False) -> bool:
        """Add ``migration`` with the next number; return False, with nothing added, if it doesn't work there.

        Raises:
            MigrationsError: it doesn't work, and ``must``.
        """
        before = self.migrations()
        name = next_id((one.id for one in before), _slug(migration.id), ())
        old = self.branches.own.manifest.facts.get(migration.id)
        renamed = _renamed(migration, name, heads(before), dict(self.renumbered))
        self.add(renamed, None if old is None else replace(old, catalog=None))
        problem = _problem(self.migrations(), name, is_by_hand=_is_by_hand(self.branches, migration))
        if problem is None:
            self.renumbered.append((migration.id, name))
            return True
        self._remove(name)
        del self.facts[name]
        if must:
            what = f"doesn't work after the main branch's migrations: {problem}"
            fix = (
                "Nothing was changed. Correct it on your branch before the merge, run `record` there, and merge again."
            )
            raise MigrationsError(
                [Problem(file=str(self.project.migrations / migration.path.name), what=what, fix=fix)]
            )
        return False

    def generate(
        self, slug: str | None, allowed: frozenset[Code]
    ) -> tuple[Generated, Manifest | None, MigrationFile | None]:
        """Return what ``generate`` would do after the placed migrations."""
        main, own = self.branches.main.manifest, self.branches.own.manifest
        entries = tuple(Entry(id=name, hash="", facts=facts) for name, facts in self.facts.items())
        hints = main.hints
        if len(self.renumbered) == len(self.branches.added):  # all that the other branch renamed stays renamed
            hints = tuple(dict.fromkeys((*main.hints, *own.hints)))
        recorded = replace(main, migrations=(*main.migrations, *entries), hints=hints)
        collector = _Collector(project=self.project, seen=frozenset(), recorded=None)
        done = generate_with(collector, self.migrations(), recorded, slug, allowed)
        manifest, new = collector.found[-1] if collector.found else (None, None)
        if manifest is not None and manifest.migrations[: len(main.migrations)] != main.migrations:
            what = "the main branch's migrations would be recorded differently, because of their order."
            fix = "Nothing was changed. Run `waiaas-migrate record` on the main branch, then merge again."
            raise MigrationsError([Problem(file=str(self.project.migrations / MANIFEST), what=what, fix=fix)])
        return done, manifest, new


def _problem(migrations: Sequence[MigrationFile], name: str, *, is_by_hand: bool) -> str | None:
    """Return why the migration ``name`` doesn't work after those before it; None if it does.

    The rollback of a generated one must restore the schema.
    """
    before, new = [one for one in migrations if one.id != name], next(one for one in migrations if one.id == name)
    with closing(replay(before)) as start, closing(copy(start)) as after:
        try:
            run_in_memory(after, new)
            if is_by_hand:
                return None
            run_in_memory(after, new, "rollback")
        except ApplyError as error:
            return error.reason
        return "its rollback doesn't restore the schema." if diff(introspect(after), introspect(start)) else None


def _is_by_hand(branches: Branches, migration: MigrationFile) -> bool:
    facts = branches.own.manifest.facts.get(migration.id)
    return migration.kind == "python" or facts is None or facts.by_hand


def _slug(name: str) -> str:
    number, _, slug = name.partition("_")
    return slug if number.isdigit() and slug else name


def _renamed(
    migration: MigrationFile, name: str, depends: tuple[str, ...], renumbered: dict[str, str]
) -> MigrationFile:
    """Return ``migration`` under another name; its statements stay."""
    if migration.kind == "python":
        sql = migration.sql
        for old, new in {**renumbered, migration.id: name}.items():
            sql = re.sub(rf"(?<=[\"']){re.escape(old)}(?=[\"'])", new, sql)
    else:
        sql = _header(migration.sql, migration.id, name, depends)
    rollback = None if migration.rollback is None else _header(migration.rollback, migration.id, name, ())
    path = migration.path.with_name(name + migration.path.suffix)
    return replace(migration, id=name, path=path, depends=depends, sql=sql, rollback=rollback)


def _header(text: str, old: str, new: str, depends: tuple[str, ...]) -> str:
    """Return ``text`` with another name and ``depends`` line in the comments before its first statement."""
    line = f"-- depends: {' '.join(depends)}"
    lines = text.split("\n")
    end = next((number for number, one in enumerate(lines) if not _COMMENT.match(one)), len(lines))
    head = [one.replace(old, new) for one in lines[:end] if not _DEPENDS.match(one)]
    at = next((number for number, one in enumerate(lines[:end]) if _DEPENDS.match(one)), 0)
    return "\n".join([*head[:at], *([line] if depends else []), *head[at:], *lines[end:]])


def _files(migration: MigrationFile) -> dict[str, str]:
    rollback = {} if migration.rollback is None else {f"{migration.id}{_ROLLBACK}": migration.rollback}
    return {**rollback, f"{migration.id}{'.py' if migration.kind == 'python' else '.sql'}": migration.sql}


def _stem(name: str) -> str:
    return name.removesuffix(_ROLLBACK) if name.endswith(_ROLLBACK) else Path(name).stem


def _texts(folder: Path, ids: Collection[str]) -> dict[str, str]:
    """Return the texts of the files of the migrations ``ids`` that are in ``folder``, by name."""
    names = (f"{name}{ending}" for name in sorted(ids) for ending in (_ROLLBACK, ".sql", ".py"))
    return {name: _read(folder / name) for name in names if (folder / name).is_file()}


def _read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
