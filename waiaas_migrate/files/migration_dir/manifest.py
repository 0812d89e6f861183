"""``manifest.json``: what a migrations folder holds, so that opening a database need not read the folder.

It lists the ordered ids, each with the facts that the runner asks for and a hash. The hashes are a chain: each covers
the one before it, so that two branches that each add a migration conflict in git instead of merging silently. The
PRAGMAs and the fingerprint of the catalog at head follow. The file is generated and committed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir import facts as facts_text
from waiaas_migrate.files.migration_dir.facts import Facts
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile, read_with_post_apply, without_rollback
from waiaas_migrate.sqlite.database.pragmas import Pragma, pragma_problem

MANIFEST = "manifest.json"

#: How often a folder is read again because it changed meanwhile.
_ATTEMPTS = 10
_VERSION = 2
#: Version 1 recorded no facts.
_KNOWN_VERSIONS = (1, _VERSION)
_MARKER = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
_RESTORE = f"Restore {MANIFEST} from git; where it is lost, delete it, and `waiaas-migrate generate` writes it anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One migration as it was recorded.

    Args:
        id: its id.
        hash: a hash over the entry before it, its content and its facts.
        facts: what the runner needs to know; None if an older version recorded it.
    """

    id: str
    hash: str
    facts: Facts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What the folder held when it was recorded.

    ``fingerprint`` is that of the catalog once all is applied; ``hints`` are the rename hints of schema.yaml that the
    migrations have fulfilled; ``ignore_tables`` are the project's names and globs for tables of other tools.
    """

    migrations: tuple[Entry, ...] = ()
    pragmas: tuple[Pragma, ...] = ()
    fingerprint: str | None = None
    hints: tuple[str, ...] = ()
    ignore_tables: tuple[str, ...] = ()
    path: Path = field(default=Path(MANIFEST), compare=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """The recorded migrations, in the order in which they are applied."""
        return tuple(entry.id for entry in self.migrations)

    @property
    def facts(self) -> dict[str, Facts | None]:
        """The recorded facts by id."""
        return {entry.id: entry.facts for entry in self.migrations}


def chain(migrations: Iterable[MigrationFile], facts: Mapping[str, Facts | None] | None = None) -> tuple[Entry, ...]:
    """The entries that record ``migrations``, in the order of :func:`read_migrations`, with the ``facts`` by id."""
    entries: list[Entry] = []
    for migration in migrations:
        known = None if facts is None else facts.get(migration.id)
        link = _link(entries[-1].hash if entries else "", migration, known)
        entries.append(Entry(id=migration.id, hash=link, facts=known))
    return tuple(entries)


def _link(previous: str, migration: MigrationFile, facts: Facts | None) -> str:
    covered: list[object] = [previous, migration.id, migration.content_hash]
    if facts is not None:
        covered.append(facts_text.written(facts))
    return "sha256:" + hashlib.sha256(json.dumps(covered).encode()).hexdigest()


def manifest_text(manifest: Manifest) -> str:
    """The file's text: one migration a line, and always the same for equal manifests."""
    entries = [_line(entry) for entry in manifest.migrations]
    pragmas = [f"{json.dumps(pragma.name)}: {json.dumps(pragma.value)}" for pragma in manifest.pragmas]
    parts = [
        f'"version": {_VERSION}',
        f'"migrations": {_block("[]", entries)}',
        f'"pragmas": {_block("{}", pragmas)}',
        f'"fingerprint": {json.dumps(manifest.fingerprint)}',
    ]
    if manifest.hints:
        parts.append(f'"hints": {_block("[]", [json.dumps(hint, ensure_ascii=False) for hint in manifest.hints])}')
    if manifest.ignore_tables:
        ignored = [json.dumps(name, ensure_ascii=False) for name in manifest.ignore_tables]
        parts.append(f'"ignore_tables": {_block("[]", ignored)}')
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def _line(entry: Entry) -> str:
    known = {} if entry.facts is None else facts_text.written(entry.facts)
    return json.dumps({"id": entry.id, **known, "hash": entry.hash}, ensure_ascii=False)


def _block(brackets: str, lines: Sequence[str]) -> str:
    inner = "".join(f"\n    {line}{',' if number < len(lines) else ''}" for number, line in enumerate(lines, 1))
    return f"{brackets[0]}{inner}\n  {brackets[1]}" if lines else brackets


def read_recorded(
    folder: Path, *, missing_ok: bool = False
) -> tuple[tuple[MigrationFile, ...], tuple[MigrationFile, ...], Manifest | None]:
    """Return the migrations, the post-apply hooks and the manifest of ``folder`` as they were at one moment.

    Reads again if a ``generate`` finishes meanwhile: which files count depends on the manifest.

    Raises:
        MigrationsError: carries everything that is wrong with the folder.
    """
    for _ in range(_ATTEMPTS):
        before = _identity(folder / MANIFEST)
        try:
            found = (*read_with_post_apply(folder, missing_ok=missing_ok), read_manifest(folder))
        except MigrationsError:
            if _identity(folder / MANIFEST) == before:
                raise
        else:
            if _identity(folder / MANIFEST) == before:
                return found
    what = "changes again and again while it is read."
    raise MigrationsError([Problem(file=str(folder / MANIFEST), what=what, fix="Run the command again.")])


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is replaced or written to."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of ``folder``; None where it has none.

    Raises:
        MigrationsError: the file is not what ``generate`` writes.
    """
    path = folder / MANIFEST
    content = _read(path)
    if content is None:
        return None
    ids, hashes, pragmas = _checked(content, path)
    try:
        facts = [facts_text.read(entry) for entry in content["migrations"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _broken(path, f"is not what generate writes: {error}.") from error
    return Manifest(
        migrations=tuple(
            Entry(id=name, hash=link, facts=known) for name, link, known in zip(ids, hashes, facts, strict=True)
        ),
        pragmas=pragmas,
        fingerprint=content["fingerprint"],
        hints=tuple(content.get("hints", ())),
        ignore_tables=tuple(content.get("ignore_tables", ())),
        path=path,
    )


def read_ids_and_pragmas(path: str) -> tuple[tuple[str, ...], tuple[Pragma, ...]] | None:
    """The ordered ids and the PRAGMAs of the manifest at ``path``; None where there is none.

    All of the file but its facts is checked as closely as by :func:`read_manifest`, in a fraction of the time.

    Raises:
        MigrationsError: the file is not what ``generate`` writes.
    """
    content = _read(path)
    if content is None:
        return None
    ids, _, pragmas = _checked(content, path)
    return tuple(ids), pragmas


def _read(path: str | Path) -> Any:  # noqa: ANN401 — whatever a JSON file may hold
    try:
        with open(path, "rb", buffering=0, opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _broken(path, "is not a regular file.")
            text = file.read().decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise _broken(path, f"cannot be read: {what}.") from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        if marker := _MARKER.search(text):  # which no JSON can hold: a string has no line ends
            line = text.count("\n", 0, marker.start()) + 1
            fix = (
                f"Take the side of {MANIFEST} that databases may have run (`git checkout --ours` or `--theirs`), keep "
                f"the migrations of both, and run `waiaas-migrate generate`, which records them."
            )
            raise _broken(path, "holds a conflict between two branches.", fix=fix, line=line) from error
        at = error.lineno if isinstance(error, json.JSONDecodeError) else None
        raise _broken(path, f"is no JSON: {error}.", line=at) from error
    return {} if content is None else content


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _broken(path: str | Path, what: str, *, fix: str = _RESTORE, line: int | None = None) -> MigrationsError:
    return MigrationsError([Problem(file=str(path), line=line, what=what, fix=fix)])


def _checked(content: Any, path: str | Path) -> tuple[list[str], list[str], tuple[Pragma, ...]]:  # noqa: ANN401 — likewise
    """The ids, the hashes and the PRAGMAs, where everything in ``content`` is of its kind."""
    try:
        if content["version"] not in _KNOWN_VERSIONS:
            fix = "Use the version of waiaas-migrate that wrote it, or a newer one."
            raise _broken(path, f"has version {content['version']}; this program knows version {_VERSION}.", fix=fix)
        entries = content["migrations"]
        ids, hashes = [entry["id"] for entry in entries], [entry["hash"] for entry in entries]
        _require_texts(ids)
        _require_texts(hashes)
        if len(set(ids)) < len(ids):
            raise ValueError("a migration is listed twice")  # noqa: TRY301 — told as what else is wrong
        _require_texts(content["pragmas"])
        _require_texts(value for value in content["pragmas"].values() if isinstance(value, str))
        pragmas = tuple(Pragma(name=name, value=_value(value)) for name, value in content["pragmas"].items())
        _refuse_unsafe(pragmas, path)
        recorded = content["fingerprint"]
        _require_texts(() if recorded is None else (recorded,))
        for key in ("hints", "ignore_tables"):
            _require_texts(_list(content.get(key, [])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _broken(path, f"is not what generate writes: {error}.") from error
    return ids, hashes, pragmas


def _refuse_unsafe(pragmas: Iterable[Pragma], path: str | Path) -> None:
    for pragma in pragmas:
        if problem := pragma_problem(pragma.name, pragma.value):
            fix = "Change it here and in `pragmas` of schema.yaml, then run `waiaas-migrate generate`."
            raise _broken(path, problem, fix=fix)


def _require_texts(values: Iterable[object]) -> None:
    """Refuse what is no text, or half a character; ``str.join`` looks at all of them in C."""
    try:
        "".join(values).encode()  # type: ignore[arg-type]  # whether they are texts is the question
    except TypeError:
        for value in values:
            _text(value)
        raise


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _value(value: object) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{value!r} is neither a word nor a whole number")
    return value


def check_manifest(manifest: Manifest, migrations: Sequence[MigrationFile]) -> tuple[Problem, ...]:
    """What differs between the recorded migrations and those in the folder, and what to do about each."""
    if chain(migrations, manifest.facts) == manifest.migrations:
        return ()
    files = {migration.id: migration for migration in migrations}
    return (
        *_missing(manifest, files.keys()),
        *_unlisted(manifest, migrations),
        *_edited(manifest, files),
        *_given_rollbacks(manifest, files),
        *_moved(manifest, files),
        *_reordered(manifest, migrations),
    )


def history_problems(manifest: Manifest, migrations: Sequence[MigrationFile]) -> tuple[Problem, ...]:
    """What in the folder contradicts what databases may have run already, and so cannot be recorded anew."""
    files = {migration.id: migration for migration in migrations}
    return (*_missing(manifest, files.keys()), *_edited(manifest, files))


def _missing(manifest: Manifest, found: Iterable[str]) -> Iterator[Problem]:
    present = set(found)
    for name in manifest.ids:
        if name not in present:
            what = f"lists migration {name}, which is not in the folder."
            fix = (
                f"Restore the file from git; databases may have run it. Where none has, put {MANIFEST} back to what it "
                f"was before the migration, too."
            )
            yield Problem(file=str(manifest.path), what=what, fix=fix)


def _unlisted(manifest: Manifest, migrations: Sequence[MigrationFile]) -> Iterator[Problem]:
    listed = set(manifest.ids)
    for migration in migrations:
        if migration.id not in listed:
            what = f"is not listed in {MANIFEST}."
            yield Problem(file=str(migration.path), what=what, fix="Run `waiaas-migrate generate` to record it.")


def _edited(manifest: Manifest, files: dict[str, MigrationFile]) -> Iterator[Problem]:
    for entry, migration in _changed(manifest, files):
        if not _is_recorded(manifest, entry, migration) and not _had_no_rollback(manifest, entry, migration):
            what = f"was edited, or its rollback or its line in {MANIFEST} was, since it was recorded."
            fix = "Restore them from git: databases may have run it. Write a new migration for what should change."
            yield Problem(file=str(migration.path), what=what, fix=fix)


def _given_rollbacks(manifest: Manifest, files: dict[str, MigrationFile]) -> Iterator[Problem]:
    for entry, migration in _changed(manifest, files):
        if _had_no_rollback(manifest, entry, migration):
            what = f"got a rollback since it was recorded in {MANIFEST}."
            yield Problem(file=str(migration.path), what=what, fix="Run `waiaas-migrate generate` to record it.")


def _moved(manifest: Manifest, files: dict[str, MigrationFile]) -> Iterator[Problem]:
    for entry, migration in _changed(manifest, files):
        if _is_recorded(manifest, entry, migration):
            what = "was recorded behind another migration than the one before it, as happens when branches are merged."
            fix = "Check their order, and run `waiaas-migrate generate` to record it."
            yield Problem(file=str(migration.path), what=what, fix=fix)


def _is_recorded(manifest: Manifest, entry: Entry, migration: MigrationFile) -> bool:
    """Whether ``migration`` is what was recorded, be it behind another one."""
    return any(_link(other, migration, entry.facts) == entry.hash for other in _hashes(manifest))


def _had_no_rollback(manifest: Manifest, entry: Entry, migration: MigrationFile) -> bool:
    """Whether a rollback is all that ``migration`` has beyond what was recorded: what databases ran is the same."""
    return migration.rollback is not None and _is_recorded(manifest, entry, without_rollback(migration))


def _hashes(manifest: Manifest) -> list[str]:
    return ["", *(entry.hash for entry in manifest.migrations)]


def _changed(manifest: Manifest, files: dict[str, MigrationFile]) -> Iterator[tuple[Entry, MigrationFile]]:
    """Recorded entries whose file does not give their hash behind the recorded hash before them.

    The recorded one, so that one edit is not reported for all that follow.
    """
    for previous, entry in zip(_hashes(manifest), manifest.migrations, strict=False):
        migration = files.get(entry.id)
        if migration is not None and _link(previous, migration, entry.facts) != entry.hash:
            yield entry, migration


def _reordered(manifest: Manifest, migrations: Sequence[MigrationFile]) -> Iterator[Problem]:
    listed = set(manifest.ids)
    files = [migration.id for migration in migrations if migration.id in listed]
    present = set(files)
    for wanted, found in zip((name for name in manifest.ids if name in present), files, strict=True):
        if wanted != found:
            what = f"lists {wanted} where the folder's dependencies and names put {found}."
            fix = "Restore the files' names and `-- depends:` lines, or run `waiaas-migrate generate`."
            yield Problem(file=str(manifest.path), what=what, fix=fix)
            return
