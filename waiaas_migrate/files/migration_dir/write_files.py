"""Write the files of a migration so that all of them are there or none is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.durable import sync_folder
from waiaas_migrate.files.migration_dir.unfinished import (
    JOURNAL,
    journal_text,
    leftovers,
    remove_unfinished,
    temporary,
)

try:
    import fcntl
except ImportError:  # Windows, where two processes that write at once are not told apart
    fcntl = None  # type: ignore[assignment]

#: How long to wait for another `generate` that is writing, in seconds; it takes milliseconds.
_WAIT = 10.0
_DISK = "Check its permissions, the free space and the disk, then run the command again."

#: Name, inode, size and time of change of each migration and of the manifest.
FolderState = frozenset[tuple[str, int, int, int]]


def folder_state(folder: Path) -> FolderState:
    """Return what changes whenever a migration or the manifest in ``folder`` is added, removed or written to."""
    found: list[tuple[str, int, int, int]] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".sql", ".py", ".json")) and entry.name != JOURNAL:
                stat = entry.stat()
                found.append((entry.name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return frozenset(found)


def recover(folder: Path) -> tuple[Path, ...]:
    """Delete what an interrupted ``generate`` left in ``folder``; return the migration files among it.

    Writes nothing where there is nothing to delete. Waits for a ``generate`` that is still writing.

    Raises:
        MigrationsError: something cannot be deleted, or the other ``generate`` does not finish.
    """
    if not leftovers(folder):
        return ()
    try:
        with _journal(folder) as removed:
            return tuple(folder / name for name in removed)
    except OSError as error:
        what = f"holds what an interrupted `generate` left, and it cannot be deleted: {error.strerror}."
        raise MigrationsError([Problem(file=str(folder), what=what, fix=_DISK)]) from None


def write_files(folder: Path, files: Mapping[str, str], *, seen: FolderState) -> tuple[Path, ...]:
    """Write ``files`` (name to text) into ``folder`` and return their paths; on any failure, write none of them.

    All but the last are new. The last is the manifest, and replacing it is the commit point: see ``unfinished.py``.

    Args:
        folder: the migrations folder, created if it is missing.
        files: the texts by name, the manifest last.
        seen: the state of the folder that the texts were made for.

    Raises:
        MigrationsError: the folder cannot be written to, or has changed since ``seen``.
    """
    made: list[Path] = []
    try:
        made += [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with _journal(folder):
            _refuse_changes(folder, files, seen)
            _write_all(folder, files)
    except BaseException as error:
        for parent in made:
            with suppress(OSError):  # it holds something
                parent.rmdir()
        if isinstance(error, OSError):
            what = f"cannot be written to: {error.strerror}. Nothing was changed."
            raise MigrationsError([Problem(file=str(folder), what=what, fix=_DISK)]) from None
        raise
    return tuple(folder / name for name in files)


def _refuse_changes(folder: Path, files: Mapping[str, str], seen: FolderState) -> None:
    taken = [name for name in list(files)[:-1] if os.path.lexists(folder / name)]
    if folder_state(folder) == seen and not taken:
        return
    where, what = (folder / taken[0], "already exists") if taken else (folder, "changed while `generate` was running")
    fix = "Run `waiaas-migrate generate` again." if folder_state(folder) != seen else "Rename or remove it."
    raise MigrationsError([Problem(file=str(where), what=f"{what}. Nothing was changed.", fix=fix)])


def _write_all(folder: Path, files: Mapping[str, str]) -> None:
    *added, manifest = (folder / name for name in files)
    _write_durably(folder / JOURNAL, journal_text({path.name: files[path.name] for path in added}, manifest))
    for path in (*added, manifest):
        _write_durably(temporary(path), files[path.name])
    sync_folder(folder)
    for path in added:
        temporary(path).rename(path)
    sync_folder(folder)
    temporary(manifest).replace(manifest)
    try:
        sync_folder(folder)
    except OSError as error:
        what = f"was written, but the disk did not confirm it: {error.strerror}."
        fix = "Check the disk, then run `waiaas-migrate check`."
        raise MigrationsError([Problem(file=str(manifest), what=what, fix=fix)]) from None


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _journal(folder: Path) -> Iterator[tuple[str, ...]]:
    """Hold the journal of ``folder``, and delete what is not committed, before and after; give the names before.

    The journal goes last. If something cannot be deleted, it stays, and the next run tries again.
    """
    with _locked(folder / JOURNAL):
        removed = remove_unfinished(folder)
        try:
            yield removed
        finally:
            with suppress(OSError):
                remove_unfinished(folder)
                (folder / JOURNAL).unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock the file at ``path``, created if it is missing; wait while another process holds it.

    Raises:
        MigrationsError: another process holds it for too long.
    """
    deadline = time.monotonic() + _WAIT
    flags = os.O_RDONLY | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)  # a pipe of that name would wait for a writer
    while True:
        with os.fdopen(os.open(path, flags, 0o666), "rb", buffering=0) as file:
            if _lock(file.fileno()) and _is_at(file.fileno(), path):
                if fcntl is None:
                    file.close()  # Windows deletes no open file
                yield
                return
        if time.monotonic() > deadline:
            fix = "Let it finish, then run the command again."
            what = "another `generate` is writing to this folder. Nothing was changed."
            raise MigrationsError([Problem(file=str(path.parent), what=what, fix=fix)])
        time.sleep(0.02)


def _lock(descriptor: int) -> bool:
    """Lock an open file unless another process has; true as well where the file system has no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at ``path``: whoever held it before may have deleted it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
