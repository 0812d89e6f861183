"""Read the migrations folder as yoyo reads it, without importing yoyo.

The rules are those of yoyo 9 (yoyo/migrations.py). Every ``*.sql`` and ``*.py`` is a migration, and its name without
the ending is its id. ``*.rollback.sql`` rolls back the migration of the same id. ``post-apply*`` runs after every
apply. Directives are in the comments before the first statement. Only Python migrations need yoyo: their dependencies
are known only after the file has been imported.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.statements import split_statements
from waiaas_migrate.files.migration_dir.unfinished import JOURNAL, Unfinished, unfinished

_ROLLBACK = ".rollback.sql"
_POST_APPLY = "post-apply"
#: The prefix of the file that ``yoyo new`` opens in an editor (yoyo/scripts/newmigration.py).
_EDITED_NOW = "_tmp_yoyonew"
#: The prefix of files in which macOS keeps the attributes of other files, if the disk or archive can't store these.
_APPLE_DOUBLE = "._"

#: Both patterns are those of yoyo.migrations.parse_metadata_from_sql_comments.
_DIRECTIVE = re.compile(r"^\s*--\s*(transactional|depends)\s*:\s*(.*)$")
COMMENT = re.compile(r"^(\s*|\s*--.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationFile:
    """One migration.

    Args:
        depends: the ids of the migrations that must run before it.
        transactional: whether it runs in a transaction.
        sql: the text of the file, also of a Python migration. Line ends are LF, whatever git checks out.
        rollback: the text of the rollback file; None if there is no such file.
        text_hash: a hash of ``sql``.
        content_hash: a hash of ``sql`` and ``rollback``.
    """

    id: str
    path: Path
    kind: Literal["sql", "python"]
    depends: tuple[str, ...] = ()
    transactional: bool = True
    sql: str = field(repr=False)
    rollback: str | None = field(default=None, repr=False)
    text_hash: str = field(init=False)
    content_hash: str = field(init=False)

    def __post_init__(self) -> None:
        parts = [self.sql] if self.rollback is None else [self.sql, self.rollback]
        hashes = [hashlib.sha256(part.encode()).hexdigest() for part in parts]
        object.__setattr__(self, "text_hash", hashes[0])
        object.__setattr__(self, "content_hash", hashlib.sha256("".join(hashes).encode()).hexdigest())

    def __hash__(self) -> int:
        # Caches use migrations as keys; hashing all fields at each lookup would take longer.
        return hash((self.id, self.content_hash))

    @property
    def files(self) -> dict[str, str]:
        """Return the texts of the migration's files by name."""
        rollback = {} if self.rollback is None else {f"{self.id}{_ROLLBACK}": self.rollback}
        return {**rollback, self.path.name: self.sql}

    @property
    def statements(self) -> tuple[str, ...]:
        """Return the statements of an SQL migration; none for a Python migration."""
        return split_statements(self.sql, file=str(self.path)) if self.kind == "sql" else ()

    @property
    def rollback_statements(self) -> tuple[str, ...]:
        """Return the statements of the rollback file; none if there is no such file."""
        path = self.path.with_name(self.path.stem + _ROLLBACK)
        return split_statements(self.rollback or "", file=str(path))


def new_migration(path: Path, *, depends: Sequence[str], sql: str, rollback: str) -> MigrationFile:
    """Return a new SQL migration that will be written at ``path``."""
    return MigrationFile(id=path.stem, path=path, kind="sql", depends=tuple(depends), sql=sql, rollback=rollback)


def rollback_only(path: Path, rollback: str) -> MigrationFile:
    """Return a migration that was at ``path`` once and can only be rolled back."""
    return MigrationFile(id=path.stem, path=path, kind="sql", sql="", rollback=rollback)


def migration_hash(migration_id: str) -> str:
    """Return the key under which yoyo records a migration: a hash of its id."""
    return hashlib.sha256(migration_id.encode()).hexdigest()


def is_post_apply(migration_id: str) -> bool:
    """Return whether the id belongs to a post-apply hook, which yoyo runs after every apply and doesn't record."""
    return migration_id.startswith(_POST_APPLY)


def read_migrations(folder: Path, *, missing_ok: bool = False) -> tuple[MigrationFile, ...]:
    """Return the migrations of ``folder``, without post-apply hooks, in the order in which yoyo applies them.

    Raises:
        MigrationsError: lists every problem in the folder.
    """
    return read_with_post_apply(folder, missing_ok=missing_ok)[0]


def read_with_post_apply(
    folder: Path, *, missing_ok: bool = False
) -> tuple[tuple[MigrationFile, ...], tuple[MigrationFile, ...]]:
    """Return the migrations of ``folder`` and its ``post-apply*`` hooks, each in yoyo's order.

    If ``missing_ok``, a missing folder is treated as an empty folder.

    Raises:
        MigrationsError: lists every problem in the folder.
    """
    problems: list[Problem] = []
    files = _read_all(folder, problems, missing_ok=missing_ok)
    ordered = _in_order([file for file in files if not is_post_apply(file.id)], {file.id for file in files}, problems)
    if problems:
        raise MigrationsError(problems)
    return ordered, tuple(file for file in files if is_post_apply(file.id))


def _in_order(
    migrations: Sequence[MigrationFile], known: Collection[str], problems: list[Problem]
) -> tuple[MigrationFile, ...]:
    """Sort each migration after its dependencies, and otherwise keep the order, as yoyo/topologicalsort.py does.

    ``known`` are the ids allowed in ``depends``. They include post-apply hooks, which don't affect the order.
    """
    position = {migration.id: index for index, migration in enumerate(migrations)}
    for migration in migrations:
        for name in sorted(set(migration.depends).difference(known)):
            what = f"depends on {name}, which is not in this folder."
            fix = "Correct the name in its `-- depends:` or `__depends__`."
            problems.append(Problem(file=str(migration.path), what=what, fix=fix))
    sorter = TopologicalSorter({m.id: [name for name in m.depends if name in position] for m in migrations})
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = error.args[1][::-1]
        what, fix = f"depends on itself: {' → '.join(cycle)}.", "Remove one of the dependencies."
        problems.append(Problem(file=str(migrations[position[cycle[0]]].path), what=what, fix=fix))
        return ()
    ready: list[int] = []
    ordered: list[MigrationFile] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, position[name])
        ordered.append(migrations[heapq.heappop(ready)])
        sorter.done(ordered[-1].id)
    return tuple(ordered)


def _read_all(folder: Path, problems: list[Problem], *, missing_ok: bool) -> list[MigrationFile]:
    """Return the migrations and post-apply hooks of ``folder``, sorted by name; add errors to ``problems``."""
    paths = _paths(folder, problems, missing_ok=missing_ok)
    migrations = [path for path in paths if not path.name.endswith(_ROLLBACK)]
    rollbacks = {path.name.removesuffix(_ROLLBACK): path for path in paths if path.name.endswith(_ROLLBACK)}
    ids: dict[str, Path] = {}
    for path in migrations:
        if path.stem in ids:
            what = f"has the same id as {ids[path.stem].name}: an id is a file's name without its ending."
            problems.append(Problem(file=str(path), what=what, fix="Rename one of them."))
        ids.setdefault(path.stem, path)
    names = {path.name for path in migrations}
    for migration_id, path in sorted(rollbacks.items()):
        if (name := f"{migration_id}.sql") not in names:
            what, fix = f"rolls back {name}, which is missing.", f"Restore {name} from git, or delete this file."
            problems.append(Problem(file=str(path), what=what, fix=fix))
    files = [_read_file(path, rollbacks.get(path.stem), ids, problems) for path in ids.values()]
    return [file for file in files if file is not None]


def _paths(folder: Path, problems: list[Problem], *, missing_ok: bool) -> list[Path]:
    """Return the paths of all migrations and rollbacks; for a file that is being replaced, the path of its copy."""
    try:
        # Sort the names as strings, as yoyo does.
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _is_migration(entry) or entry.name == JOURNAL)
    except FileNotFoundError:
        if not missing_ok:
            fix = "Correct the path, or run `waiaas-migrate generate` to create it."
            problems.append(Problem(file=str(folder), what="no such folder.", fix=fix))
        return []
    except OSError as error:
        what = f"can't be read as a folder of migrations: {error.strerror or error}."
        problems.append(Problem(file=str(folder), what=what, fix="Check the path."))
        return []
    uncommitted = unfinished(folder) if JOURNAL in names else Unfinished()
    names = [name for name in names if name != JOURNAL and name not in uncommitted.ignored]
    # Python keeps bytes of a name that are not UTF-8 as surrogates, which can't be hashed.
    readable = [name for name in names if name.isascii() or not re.search("[\ud800-\udfff]", name)]
    problems.extend(
        Problem(file=repr(str(folder / name)), what="has a name that is not UTF-8.", fix="Rename it.")
        for name in sorted(set(names) - set(readable))
    )
    return [uncommitted.copies.get(name, folder / name) for name in readable]


def _is_migration(entry: os.DirEntry[str]) -> bool:
    """Return whether yoyo reads the file as a migration, a rollback or a hook; False for the ``._*`` files of macOS."""
    is_sql_or_python = os.path.splitext(entry.name)[1] in {".py", ".sql"}  # noqa: PTH122 — there is no path yet
    return is_sql_or_python and not entry.name.startswith((_EDITED_NOW, _APPLE_DOUBLE)) and entry.is_file()


def _read_file(
    path: Path, rollback_path: Path | None, ids: dict[str, Path], problems: list[Problem]
) -> MigrationFile | None:
    is_python = path.suffix == ".py"
    sql = _read_text(path, problems, is_sql=not is_python)
    rollback_path = None if is_python else rollback_path
    rollback = None if rollback_path is None else _read_text(rollback_path, problems, is_sql=True)
    if sql is None or (rollback_path is not None and rollback is None):
        return None
    depends, transactional = _python_header(path, ids, problems) if is_python else _sql_header(path, sql, problems)
    return MigrationFile(
        id=path.stem,
        path=path,
        kind="python" if is_python else "sql",
        depends=depends,
        transactional=transactional,
        sql=sql,
        rollback=rollback,
    )


def _read_text(path: Path, problems: list[Problem], *, is_sql: bool) -> str | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.append(Problem(file=str(path), what=f"can't be read: {error.strerror or error}."))
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        what = "begins with a byte order mark, after which yoyo finds no directives."
        problems.append(Problem(file=str(path), line=1, what=what, fix="Save it as UTF-8 without a byte order mark."))
        return None
    try:
        text = data.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"the byte 0x{data[error.start]:02X} is not UTF-8."
        problems.append(Problem(file=str(path), line=line, what=what, fix="Save the file as UTF-8."))
        return None
    try:
        split_statements(text if is_sql else "", file=str(path))
    except MigrationsError as error:
        problems.extend(error.problems)
    return text


def _sql_header(path: Path, sql: str, problems: list[Problem]) -> tuple[tuple[str, ...], bool]:
    """Return ``depends`` and ``transactional`` from the directives in the comments at the beginning."""
    found: dict[str, list[str]] = {"depends": [], "transactional": []}
    for number, line in enumerate(sql.split("\n"), 1):
        if directive := _DIRECTIVE.match(line):
            found[directive[1]].append(directive[2])
            value = " ".join(found["transactional"])
            if directive[1] == "transactional" and value.lower() not in ("true", "false"):
                what = f"`-- transactional: {value}` must be true or false."
                fix = "Write it once, with no space after the value."
                problems.append(Problem(file=str(path), line=number, what=what, fix=fix))
        elif not COMMENT.match(line):
            break
    depends = tuple(dict.fromkeys(" ".join(found["depends"]).split()))
    return depends, " ".join(found["transactional"]).lower() != "false"


def _python_header(path: Path, ids: dict[str, Path], problems: list[Problem]) -> tuple[tuple[str, ...], bool]:
    """Have yoyo import a Python migration; return its ``depends`` and ``transactional``."""
    from waiaas_migrate.files.migration_dir.python_migration import load_header

    header = load_header(path, tuple(ids.values()))
    if isinstance(header, str):
        problems.append(Problem(file=str(path), what=f"can't be loaded: {header}.", fix="Correct it."))
        return (), True
    return header
