"""Write, replace and delete files of a migrations folder in one step: even a crash leaves all changes or none.

``unfinished.py`` explains how readers see the folder meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.durable import sync, write_durably
from waiaas_migrate.files.file_lock import HAS_LOCKS, is_same_file, lock_file
from waiaas_migrate.files.migration_dir import unfinished
from waiaas_migrate.files.migration_dir.manifest import MANIFEST, Manifest, manifest_text

#: How long to wait for another command to finish writing, in seconds. Writing takes milliseconds.
_TIMEOUT = 10.0
_CHECK_DISK = "Check its permissions, the free space and the disk, then run the command again."

#: The name, inode, size and modification time of each migration and of the manifest.
FolderState = frozenset[tuple[str, int, int, int]]


def folder_state(folder: Path) -> FolderState:
    """Return a value that changes whenever a migration or the manifest in ``folder`` changes."""
    state: list[tuple[str, int, int, int]] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".sql", ".py", ".json")) and entry.name != unfinished.JOURNAL:
                stat = entry.stat()
                state.append((entry.name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return frozenset(state)


def recover(folder: Path) -> tuple[Path, ...]:
    """Delete the leftovers of an interrupted command in ``folder``; return the migration files that were deleted.

    Write nothing if there are no leftovers. Wait for a command that is still writing.

    Raises:
        MigrationsError: a leftover can't be deleted, or the other command does not finish.
    """
    if not unfinished.leftovers(folder):
        return ()
    try:
        with _locked_journal(folder) as removed:
            return tuple(folder / name for name in removed)
    except OSError as error:
        what = f"holds files of an interrupted command, which can't be deleted: {error.strerror}."
        raise _error(folder, what, _CHECK_DISK) from None


def _error(path: Path, what: str, fix: str) -> MigrationsError:
    return MigrationsError([Problem(file=str(path), what=what, fix=fix)])


def write_history(
    folder: Path, manifest: Manifest, *, old: Mapping[str, str], new: Mapping[str, str], seen: FolderState
) -> tuple[Path, ...]:
    """Write ``manifest``, and replace the files ``old`` with ``new`` (texts by name), as :func:`write_files` does.

    Files that are the same in ``old`` and ``new`` are left alone.
    """
    changed = {name: text for name, text in new.items() if old.get(name) != text}
    removed = [name for name in old if name not in new or name in changed]
    return write_files(folder, {**changed, MANIFEST: manifest_text(manifest)}, removed=removed, seen=seen)


def write_files(
    folder: Path, files: Mapping[str, str], *, removed: Collection[str] = (), seen: FolderState
) -> tuple[Path, ...]:
    """Write ``files`` into ``folder`` and return their paths; change nothing if that fails before the commit.

    Args:
        folder: the migrations folder, created if it is missing.
        files: the texts by name. All but the manifest are new, or replace one of ``removed``.
        removed: names of files that are deleted or replaced in the same step; ``files`` must then have a manifest.
        seen: the state of the folder from before the texts were made.

    Raises:
        MigrationsError: the folder can't be written to, or has changed since ``seen``.
    """
    created: list[Path] = []
    try:
        created += [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with _locked_journal(folder):
            _refuse_changes(folder, [name for name in files if name not in (MANIFEST, *removed)], seen)
            _write_all(folder, files, removed)
    except BaseException as error:
        for parent in created:
            with suppress(OSError):  # the folder is not empty
                parent.rmdir()
        if isinstance(error, OSError):
            raise _error(folder, f"can't be written to: {error.strerror}. Nothing was changed.", _CHECK_DISK) from None
        raise
    return tuple(folder / name for name in files)


def _refuse_changes(folder: Path, added: Iterable[str], seen: FolderState) -> None:
    if folder_state(folder) != seen:
        what = "changed while this command was running. Nothing was changed."
        raise _error(folder, what, "Run the command again.")
    for path in (folder / name for name in added):
        if os.path.lexists(path):
            raise _error(path, "already exists. Nothing was changed.", "Rename or remove it.")


def _write_all(folder: Path, files: Mapping[str, str], removed: Collection[str]) -> None:
    """Write the journal and all files, then commit: replace the manifest or, if none is given, empty the journal."""
    write_durably(folder / unfinished.JOURNAL, unfinished.journal_text(folder, files, removed, MANIFEST).encode())
    for name, text in files.items():
        write_durably(unfinished.temporary_path(folder / name), text.encode())
    if replaced := [name for name in removed if name in files]:
        (folder / unfinished.COPIES).mkdir()
        for name in replaced:
            write_durably(folder / unfinished.COPIES / name, (folder / name).read_bytes())
        sync(folder / unfinished.COPIES)
    sync(folder)
    for path in (folder / name for name in files if name != MANIFEST):
        unfinished.temporary_path(path).replace(path)
    sync(folder)
    if MANIFEST in files:
        unfinished.temporary_path(folder / MANIFEST).replace(folder / MANIFEST)
    else:
        os.truncate(folder / unfinished.JOURNAL, 0)
    try:
        sync(folder)
    except OSError as error:
        what = f"was written, but the disk did not confirm it: {error.strerror}."
        raise _error(folder / list(files)[-1], what, "Check the disk, then run `waiaas-migrate check`.") from None


@contextmanager
def _locked_journal(folder: Path) -> Iterator[tuple[str, ...]]:
    """Lock the journal, and delete leftovers before and after the block; yield the names of deleted migrations.

    The journal is deleted last. If a leftover can't be deleted, the journal stays, and the next command tries again.
    """
    with _locked(folder / unfinished.JOURNAL):
        removed = unfinished.remove_unfinished(folder)
        try:
            yield removed
        finally:
            with suppress(OSError):
                unfinished.remove_unfinished(folder)
                (folder / unfinished.JOURNAL).unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock the file at ``path``, created if it is missing; wait a limited time for other processes."""
    deadline = time.monotonic() + _TIMEOUT
    flags = os.O_RDONLY | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)  # don't block on a pipe
    while True:
        with os.fdopen(os.open(path, flags, 0o666), "rb", buffering=0) as file:
            if lock_file(file.fileno()) and is_same_file(file.fileno(), path):
                if not HAS_LOCKS:
                    file.close()  # Windows can't delete an open file
                yield
                return
        if time.monotonic() > deadline:
            what = "another command is writing to this folder. Nothing was changed."
            raise _error(path.parent, what, "Let it finish, then run the command again.")
        time.sleep(0.02)
