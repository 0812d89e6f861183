"""The migrations folder, read as yoyo reads it, without yoyo.

The rules are those of yoyo 9 (yoyo/migrations.py): every ``*.sql`` and ``*.py`` is a migration, its name without the
ending is its id, ``*.rollback.sql`` takes one back, ``post-apply*`` runs after every apply, and directives stand in the
comments before the first statement. Only a Python migration needs yoyo to be read, since its steps and dependencies
are known when it has run.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.dependencies import in_order
from waiaas_migrate.files.migration_dir.statements import split_statements
from waiaas_migrate.files.migration_dir.unfinished import JOURNAL, unfinished_files

__all__ = [
    "MigrationFile",
    "migration_hash",
    "new_migration",
    "read_migrations",
    "read_post_apply",
    "read_with_post_apply",
    "split_statements",
    "without_rollback",
]

_ROLLBACK = ".rollback.sql"
_POST_APPLY = "post-apply"
#: yoyo/scripts/newmigration.py keeps what is being written in the editor under this name.
_EDITED_NOW = "_tmp_yoyonew"
#: macOS keeps a file's attributes beside it under this prefix, on disks that have no place for them and in archives.
_APPLE_DOUBLE = "._"

#: Both as in yoyo.migrations.parse_metadata_from_sql_comments.
_DIRECTIVE = re.compile(r"^\s*--\s*(transactional|depends)\s*:\s*(.*)$")
_COMMENT = re.compile(r"^(\s*|\s*--.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFile:
    """One migration. ``sql`` is its text (of a Python migration, the source), ``rollback`` the text that undoes it.

    ``content_hash`` covers both, with newlines in one form: git may check files out with others.
    """

    id: str
    path: Path
    kind: Literal["sql", "python"]
    depends: tuple[str, ...] = ()
    transactional: bool = True
    sql: str = field(repr=False)
    rollback: str | None = field(default=None, repr=False)
    content_hash: str

    def __hash__(self) -> int:
        # What is made out of a migration is kept by it, and asked for again and again.
        return hash((self.id, self.content_hash))

    @property
    def statements(self) -> tuple[str, ...]:
        """What applying executes; nothing for a Python migration, whose steps yoyo knows."""
        return split_statements(self.sql, file=str(self.path)) if self.kind == "sql" else ()

    @property
    def rollback_statements(self) -> tuple[str, ...]:
        """What rolling back executes; nothing where there is no rollback file."""
        return split_statements(self.rollback or "", file=str(_rollback_path(self.path)))


def new_migration(path: Path, *, depends: Sequence[str], sql: str, rollback: str) -> MigrationFile:
    """A migration that is about to be written at ``path``, as it will be read back."""
    return MigrationFile(
        id=path.stem,
        path=path,
        kind="sql",
        depends=tuple(depends),
        sql=sql,
        rollback=rollback,
        content_hash=_content_hash(sql, rollback),
    )


def without_rollback(migration: MigrationFile) -> MigrationFile:
    """``migration`` as it would be without its rollback file."""
    return replace(migration, rollback=None, content_hash=_content_hash(migration.sql, None))


def migration_hash(migration_id: str) -> str:
    """The key under which yoyo records a migration: a hash of its id alone."""
    return hashlib.sha256(migration_id.encode()).hexdigest()


def is_post_apply(migration_id: str) -> bool:
    """Whether the id is that of a hook, which yoyo runs after every apply and never records as applied."""
    return migration_id.startswith(_POST_APPLY)


def read_migrations(folder: Path, *, missing_ok: bool = False) -> tuple[MigrationFile, ...]:
    """The migrations of ``folder``, without post-apply hooks, in the order in which yoyo applies them.

    A folder that is not there is empty where ``missing_ok``.

    Raises:
        MigrationsError: carries everything that is wrong with the folder.
    """
    return read_with_post_apply(folder, missing_ok=missing_ok)[0]


def read_post_apply(folder: Path) -> tuple[MigrationFile, ...]:
    """The ``post-apply*`` hooks of ``folder``, in yoyo's order: that of their names.

    Raises:
        MigrationsError: carries everything that is wrong with the folder.
    """
    return read_with_post_apply(folder, missing_ok=True)[1]


def read_with_post_apply(
    folder: Path, *, missing_ok: bool = False
) -> tuple[tuple[MigrationFile, ...], tuple[MigrationFile, ...]]:
    """What :func:`read_migrations` and :func:`read_post_apply` give, with every file read once.

    Raises:
        MigrationsError: carries everything that is wrong with the folder.
    """
    problems: list[Problem] = []
    files = _read_all(folder, problems, missing_ok=missing_ok)
    ordered = in_order([file for file in files if not is_post_apply(file.id)], {file.id for file in files}, problems)
    if problems:
        raise MigrationsError(problems)
    return ordered, tuple(file for file in files if is_post_apply(file.id))


def _read_all(folder: Path, problems: list[Problem], *, missing_ok: bool) -> list[MigrationFile]:
    paths = _paths(folder, problems, missing_ok=missing_ok)
    migrations = [path for path in paths if not path.name.endswith(_ROLLBACK)]
    rollbacks = {path.name: path for path in paths if path.name.endswith(_ROLLBACK)}
    ids: dict[str, Path] = {}
    for path in migrations:
        if path.stem in ids:
            what = f"has the same id as {ids[path.stem].name}, and yoyo tells migrations apart by id."
            problems.append(Problem(file=str(path), what=what, fix="Rename one of them."))
        ids.setdefault(path.stem, path)
    names = {path.name for path in migrations}
    for rollback in sorted(rollbacks):
        name = rollback.removesuffix(_ROLLBACK) + ".sql"
        if name not in names:
            what, fix = f"rolls back {name}, which is missing.", f"Restore {name} from git, or delete this file."
            problems.append(Problem(file=str(rollbacks[rollback]), what=what, fix=fix))
    files = [_read_file(path, rollbacks.get(path.stem + _ROLLBACK), ids, problems) for path in ids.values()]
    return [file for file in files if file is not None]


def _paths(folder: Path, problems: list[Problem], *, missing_ok: bool) -> list[Path]:
    try:
        # As text, and so by character: yoyo sorts strings.
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in entries if _is_migration(entry) or entry.name == JOURNAL)
    except FileNotFoundError:
        if not missing_ok:
            fix = "Check the path, or begin it with `waiaas-migrate generate`."
            problems.append(Problem(file=str(folder), what="there is no such folder.", fix=fix))
        return []
    except OSError as error:
        what = f"cannot be read as a folder of migrations: {error.strerror or error}."
        problems.append(Problem(file=str(folder), what=what, fix="Check the path."))
        return []
    if JOURNAL in found:
        uncounted = {JOURNAL, *unfinished_files(folder)}
        found = [name for name in found if name not in uncounted]
    nameless = [folder / name for name in found if not _is_text(name)]
    fix = "Rename it."
    problems.extend(Problem(file=repr(str(p)), what="has a name that is no UTF-8.", fix=fix) for p in nameless)
    return [folder / name for name in found if _is_text(name)]


def _is_migration(entry: os.DirEntry[str]) -> bool:
    """Decide as yoyo.migrations._is_migration_file does, but ignore the ``._*`` files that macOS adds."""
    is_named_so = os.path.splitext(entry.name)[1] in {".py", ".sql"}  # noqa: PTH122 — there is no path yet
    return is_named_so and not entry.name.startswith((_EDITED_NOW, _APPLE_DOUBLE)) and entry.is_file()


def _is_text(name: str) -> bool:
    """Whether a file's name can be hashed; Python keeps bytes that are no UTF-8 as surrogates."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _rollback_path(path: Path) -> Path:
    return path.with_name(path.stem + _ROLLBACK)


def _read_file(
    path: Path, rollback_path: Path | None, ids: dict[str, Path], problems: list[Problem]
) -> MigrationFile | None:
    is_python = path.suffix == ".py"
    sql = _read_text(path, problems)
    rollback_path = None if is_python else rollback_path
    rollback = None if rollback_path is None else _read_text(rollback_path, problems)
    if sql is None or (rollback_path is not None and rollback is None):
        return None
    if is_python:
        depends, transactional = _python_header(path, ids, problems)
    else:
        depends, transactional = _sql_header(path, sql, problems)
        _check_statements(path, sql, problems)
        if rollback_path is not None:
            _check_statements(rollback_path, rollback or "", problems)
    return MigrationFile(
        id=path.stem,
        path=path,
        kind="python" if is_python else "sql",
        depends=depends,
        transactional=transactional,
        sql=sql,
        rollback=rollback,
        content_hash=_content_hash(sql, rollback),
    )


def _content_hash(sql: str, rollback: str | None) -> str:
    parts = [sql] if rollback is None else [sql, rollback]
    return hashlib.sha256("".join(hashlib.sha256(part.encode()).hexdigest() for part in parts).encode()).hexdigest()


def _read_text(path: Path, problems: list[Problem]) -> str | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.append(Problem(file=str(path), what=f"cannot be read: {error.strerror or error}."))
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        what = "begins with a byte order mark, behind which yoyo sees no directives."
        problems.append(Problem(file=str(path), line=1, what=what, fix="Save it as UTF-8 without one."))
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"is not UTF-8: byte 0x{data[error.start]:02X} is not."
        problems.append(Problem(file=str(path), line=line, what=what, fix="Save it as UTF-8."))
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_statements(path: Path, sql: str, problems: list[Problem]) -> None:
    try:
        split_statements(sql, file=str(path))
    except MigrationsError as error:
        problems.extend(error.problems)


def _sql_header(path: Path, sql: str, problems: list[Problem]) -> tuple[tuple[str, ...], bool]:
    """What ``-- depends:`` and ``-- transactional:`` say before the first line that is no ``--`` comment."""
    found: dict[str, list[str]] = {"depends": [], "transactional": []}
    for number, line in enumerate(sql.split("\n"), 1):
        if directive := _DIRECTIVE.match(line):
            found[directive[1]].append(directive[2])
            value = " ".join(found["transactional"])
            if directive[1] == "transactional" and value.lower() not in ("true", "false"):
                what = f"`-- transactional: {value}` is neither true nor false."
                fix = "Write one of the two once, without a blank behind it."
                problems.append(Problem(file=str(path), line=number, what=what, fix=fix))
        elif not _COMMENT.match(line):
            break
    depends = tuple(dict.fromkeys(" ".join(found["depends"]).split()))
    return depends, " ".join(found["transactional"]).lower() != "false"


def _python_header(path: Path, ids: dict[str, Path], problems: list[Problem]) -> tuple[tuple[str, ...], bool]:
    """What a Python migration's ``__depends__`` and ``__transactional__`` say; it is run by yoyo for that."""
    from waiaas_migrate.files.migration_dir.python_migration import load_header

    header = load_header(path, tuple(ids.values()))
    if isinstance(header, str):
        problems.append(Problem(file=str(path), what=f"cannot be loaded: {header}.", fix="Correct it."))
        return (), True
    return header
