"""Read, write and check ``manifest.json``.

The manifest lists the ids of the migrations in order, each with a hash and the facts that the runner needs. After them
come the PRAGMAs and the fingerprint of the fully migrated catalog. So a database that is up to date can be opened
without reading the migrations. The hashes are a chain: each covers the one before it, so that two branches that each
add a migration conflict in git instead of merging silently. The file is generated and committed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.facts import UNKNOWN, Facts, entry_values, facts_in
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, read_with_post_apply
from waiaas_migrate.files.migration_dir.unfinished import Unfinished, unfinished
from waiaas_migrate.sqlite.database.pragmas import Pragma, pragma_problem

MANIFEST = "manifest.json"

#: How often to try to read a folder that another command keeps changing.
_ATTEMPTS = 10
#: The version of the file format.
_VERSION = 2
#: git's markers of a merge conflict. A JSON string can't contain one, because JSON strings contain no line ends.
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
_RESTORE = f"Restore {MANIFEST} from git. If it is lost, delete it and run `waiaas-migrate generate`."
_RECORD = "Run `waiaas-migrate record`."
_IF_NOT_RELEASED = "If not, run `waiaas-migrate record`."
#: The flag that keeps open() from waiting if the path is a pipe that nobody writes to.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
#: The exceptions of code that reads JSON of an unexpected form.
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The entry of a migration; ``hash`` covers the previous entry's hash and the migration's id, files and facts."""

    id: str
    hash: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The recorded state of a migrations folder.

    Args:
        migrations: the entries, in the order in which the migrations are applied.
        fingerprint: the fingerprint of the catalog after all migrations.
        hints: the rename hints of schema.yaml that the migrations have followed.
        ignore: names and globs of other tools' tables, which the project ignores.
    """

    migrations: tuple[Entry, ...] = ()
    pragmas: tuple[Pragma, ...] = ()
    fingerprint: str | None = None
    hints: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    path: Path = field(default=Path(MANIFEST), compare=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of the migrations, in the order in which they are applied."""
        return tuple(entry.id for entry in self.migrations)

    @property
    def facts(self) -> dict[str, Facts]:
        """Return the recorded facts by id."""
        return {entry.id: entry.facts for entry in self.migrations}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The parts of a manifest that opening a database needs.

    ``last_hash`` is the hash of the last entry, which covers all migrations; it is None if there are no migrations.
    """

    ids: tuple[str, ...]
    last_hash: str | None
    fingerprint: str | None
    pragmas: tuple[Pragma, ...]


def chain(migrations: Iterable[MigrationFile], facts: Mapping[str, Facts]) -> tuple[Entry, ...]:
    """Return the entries for ``migrations``, with ``facts`` by id; record missing facts as unknown."""
    entries: list[Entry] = []
    for migration in migrations:
        known = facts.get(migration.id, UNKNOWN)
        entry_hash = _hash_after(entries[-1].hash if entries else "", migration, known)
        entries.append(Entry(id=migration.id, hash=entry_hash, facts=known))
    return tuple(entries)


def _hash_after(previous: str, migration: MigrationFile, facts: Facts) -> str:
    covered = [previous, migration.id, migration.content_hash, entry_values(facts)]
    return "sha256:" + hashlib.sha256(json.dumps(covered).encode()).hexdigest()


def manifest_text(manifest: Manifest) -> str:
    """Return the text of the file, with one migration on each line. The same manifest always gives the same text."""
    entries = [{"id": entry.id, **entry_values(entry.facts), "hash": entry.hash} for entry in manifest.migrations]
    pragmas = [f"{json.dumps(pragma.name)}: {json.dumps(pragma.value)}" for pragma in manifest.pragmas]
    parts = [
        f'"version": {_VERSION}',
        f'"migrations": {_block("[]", map(_json, entries))}',
        f'"pragmas": {_block("{}", pragmas)}',
        f'"fingerprint": {json.dumps(manifest.fingerprint)}',
    ]
    for key, names in (("hints", manifest.hints), ("ignore", manifest.ignore)):
        if names:
            parts.append(f'"{key}": {_block("[]", map(_json, names))}')
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _block(brackets: str, lines: Iterable[str]) -> str:
    inner = ",".join(f"\n    {line}" for line in lines)
    return f"{brackets[0]}{inner}\n  {brackets[1]}" if inner else brackets


def read_recorded(
    folder: Path, *, missing_ok: bool = False
) -> tuple[tuple[MigrationFile, ...], tuple[MigrationFile, ...], Manifest | None]:
    """Return the migrations, the post-apply hooks and the manifest of ``folder`` as they were at one moment.

    If another command writes to the folder meanwhile, read it again.

    Raises:
        MigrationsError: lists every problem in the folder.
    """
    for _ in range(_ATTEMPTS):
        before = _state(folder)
        try:
            contents = (*read_with_post_apply(folder, missing_ok=missing_ok), read_manifest(folder))
        except MigrationsError:
            if _state(folder) == before:
                raise
        else:
            if _state(folder) == before:
                return contents
    raise _broken(folder / MANIFEST, "keeps changing while it is read.", fix="Run the command again.")


def _state(folder: Path) -> tuple[int, int, int, Unfinished] | None:
    """Return the state of manifest and unfinished files, which changes at each commit; None if there is no manifest."""
    try:
        status = (folder / MANIFEST).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size, unfinished(folder)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of ``folder``; None if the file is missing.

    Raises:
        MigrationsError: the file is not what ``generate`` writes.
    """
    path = folder / MANIFEST
    content = _read_json(path)
    if content is None:
        return None
    ids, hashes, pragmas = _checked(content, path)
    try:
        facts = [facts_in(entry) for entry in content["migrations"]]
    except _MALFORMED as error:
        raise _broken(path, f"is not what generate writes: {error}.") from error
    entries = zip(ids, hashes, facts, strict=True)
    return Manifest(
        migrations=tuple(Entry(id=name, hash=entry_hash, facts=known) for name, entry_hash, known in entries),
        pragmas=pragmas,
        fingerprint=content["fingerprint"],
        hints=tuple(content.get("hints", ())),
        ignore=tuple(content.get("ignore", ())),
        path=path,
    )


def read_summary(path: str) -> Summary | None:
    """Return the summary of the manifest at ``path``; None if the file is missing.

    Everything in the file except the facts is checked. This takes a fraction of the time of :func:`read_manifest`.

    Raises:
        MigrationsError: the file is not what ``generate`` writes.
    """
    content = _read_json(path)
    if content is None:
        return None
    ids, hashes, pragmas = _checked(content, path)
    last_hash = hashes[-1] if hashes else None
    return Summary(ids=tuple(ids), last_hash=last_hash, fingerprint=content["fingerprint"], pragmas=pragmas)


def _read_json(path: str | Path) -> Any:  # noqa: ANN401 — any JSON value
    try:
        with open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | _NO_WAIT)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _broken(path, "is not a regular file.")
            text = file.read().decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise _broken(path, f"can't be read: {what}.") from error
    return _parsed(text, path)


def ids_in(text: str, source: str) -> tuple[str, ...]:
    """Return the ids in the ``text`` of a manifest. Errors call the text ``source``.

    Raises:
        MigrationsError: the text is not what ``generate`` writes.
    """
    return tuple(_checked(_parsed(text, source), source)[0])


def _parsed(text: str, path: str | Path) -> Any:  # noqa: ANN401 — any JSON value
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        if conflict := _CONFLICT.search(text):
            fix = "Run `waiaas-migrate rebase`."
            line = text.count("\n", 0, conflict.start()) + 1
            raise _broken(path, "has a merge conflict.", fix=fix, line=line) from error
        error_line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise _broken(path, f"is not JSON: {error}.", line=error_line) from error
    return {} if content is None else content


def _broken(path: str | Path, what: str, *, fix: str = _RESTORE, line: int | None = None) -> MigrationsError:
    return MigrationsError([Problem(file=str(path), line=line, what=what, fix=fix)])


def _checked(content: Any, path: str | Path) -> tuple[list[str], list[str], tuple[Pragma, ...]]:  # noqa: ANN401 — any JSON value
    """Return the ids, the hashes and the PRAGMAs in ``content``, after checking the types of everything but facts."""
    try:
        if content["version"] != _VERSION:
            what = f"has version {content['version']}; this program knows version {_VERSION}."
            raise _broken(path, what, fix="Use the version of waiaas-migrate that wrote it, or a newer one.")
        ids = [entry["id"] for entry in content["migrations"]]
        hashes = [entry["hash"] for entry in content["migrations"]]
        if len(set(ids)) < len(ids):
            raise ValueError("a migration is listed twice")
        settings = content["pragmas"].items()
        texts = [*ids, *hashes, *(text for pair in settings for text in pair if isinstance(text, str))]
        for key in ("hints", "ignore"):
            texts += [*content.get(key, ())] if isinstance(content.get(key, []), list) else [None]
        # For speed, check all values at once: join() refuses values that aren't text, and encode() lone surrogates.
        "".join([*texts, content["fingerprint"] or ""]).encode()
        pragmas = tuple(Pragma(name=name, value=_pragma_value(value)) for name, value in settings)
    except _MALFORMED as error:
        raise _broken(path, f"is not what generate writes: {error}.") from error
    for pragma in pragmas:
        if problem := pragma_problem(pragma.name, pragma.value):
            fix = "Change it here and in `pragmas` of schema.yaml, then run `waiaas-migrate generate`."
            raise _broken(path, problem, fix=fix)
    return ids, hashes, pragmas


def _pragma_value(value: object) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{value!r} is neither a word nor a whole number")
    return value


def check_manifest(manifest: Manifest, migrations: Sequence[MigrationFile]) -> tuple[Problem, ...]:
    """Return a problem for each difference between the manifest and the migrations in the folder."""
    if chain(migrations, manifest.facts) == manifest.migrations:
        return ()
    listed = set(manifest.ids)
    paths = [migration.path for migration in migrations if migration.id not in listed]
    unlisted = [Problem(file=str(path), what=f"is not listed in {MANIFEST}.", fix=_RECORD) for path in paths]
    changed = [change.problem for change in _changes(manifest, migrations)]
    return (*_missing(manifest, migrations), *unlisted, *changed, *_reordered(manifest, migrations))


def history_problems(manifest: Manifest, migrations: Sequence[MigrationFile]) -> tuple[Problem, ...]:
    """Return a problem for each recorded migration that was edited or deleted, because databases may have run it."""
    edits = [change.problem for change in _changes(manifest, migrations) if change.is_edit]
    return (*_missing(manifest, migrations), *edits)


def edited_ids(manifest: Manifest, migrations: Sequence[MigrationFile]) -> tuple[str, ...]:
    """Return the ids of migrations that were edited after they were recorded."""
    return tuple(change.id for change in _changes(manifest, migrations) if change.is_edit)


def _missing(manifest: Manifest, migrations: Iterable[MigrationFile]) -> Iterator[Problem]:
    present = {migration.id for migration in migrations}
    for name in manifest.ids:
        if name not in present:
            fix = f"If it is released, restore the file from git. {_IF_NOT_RELEASED}"
            yield Problem(file=str(manifest.path), what=f"lists migration {name}, which is not in the folder.", fix=fix)


class _Change(NamedTuple):
    """A migration that differs from its entry; ``is_edit`` if one of its files, or the entry itself, was edited."""

    id: str
    is_edit: bool
    problem: Problem


def _changes(manifest: Manifest, migrations: Iterable[MigrationFile]) -> Iterator[_Change]:
    files = {migration.id: migration for migration in migrations}
    hashes = ["", *(entry.hash for entry in manifest.migrations)]

    def has_recorded_content(entry: Entry, migration: MigrationFile) -> bool:
        return any(_hash_after(other, migration, entry.facts) == entry.hash for other in hashes)

    # Each hash is computed from the recorded previous hash. So one edit is not reported for all later migrations.
    for previous, entry in zip(hashes, manifest.migrations, strict=False):
        migration = files.get(entry.id)
        if migration is None or _hash_after(previous, migration, entry.facts) == entry.hash:
            continue
        is_edit = False
        if has_recorded_content(entry, migration):
            what = "was recorded after another migration, which happens when branches are merged."
            fix = f"Check the order. {_RECORD}"
        elif migration.rollback is not None and has_recorded_content(entry, replace(migration, rollback=None)):
            what, fix = f"got a rollback after it was recorded in {MANIFEST}.", _RECORD
        else:
            is_edit = True
            what = f"was edited after it was recorded (or its rollback or its line in {MANIFEST})."
            fix = f"If it is released, restore them from git and write a new migration. {_IF_NOT_RELEASED}"
        yield _Change(entry.id, is_edit, Problem(file=str(migration.path), what=what, fix=fix))


def _reordered(manifest: Manifest, migrations: Sequence[MigrationFile]) -> Iterator[Problem]:
    common = {migration.id for migration in migrations} & set(manifest.ids)
    recorded = (name for name in manifest.ids if name in common)
    files = (migration.id for migration in migrations if migration.id in common)
    for wanted, found in zip(recorded, files, strict=True):
        if wanted != found:
            what = f"lists {wanted} before {found}, but their dependencies and names put {found} first."
            fix = "Restore the files' names and `-- depends:` lines, or run `waiaas-migrate generate`."
            yield Problem(file=str(manifest.path), what=what, fix=fix)
            return
