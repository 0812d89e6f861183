"""Replace a database file by another file, in one step, and give the new file the access rights of the old one."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from waiaas_migrate.errors import DatabaseRefused
from waiaas_migrate.files.durable import sync
from waiaas_migrate.runner.backups.partial import beside, partial_file, stamped_names, take_free_name, take_name
from waiaas_migrate.runner.backups.verified_copy import OWNER_ONLY, require_room

_KEPT_SUFFIX = r"\.replaced-[0-9]{8}T[0-9]{6}Z"
#: The endings of files with a part of the database's content. If they can't be merged into the file, they move with it.
_CONTENT_FILES = ("-wal", "-journal")
_REFUSED_NOTICE = "The restored file could not be given the {} of the old one{}."


class Swap:
    """The replacement of the file ``target`` by the file ``arriving``; an existing target is kept under another name.

    ``kept`` is this name. ``notices`` say which access rights and attributes of the target could not be kept.
    """

    def __init__(self, target: Path, arriving: Path) -> None:
        self.target, self._arriving = target, arriving
        self.kept: Path | None = None
        self.notices: tuple[str, ...] = ()
        self._status: os.stat_result | None = None
        self._is_copied = False
        self._moved: list[tuple[Path, Path]] = []

    def is_done(self) -> bool:
        """Return whether the new file is in place; ask the file system, since Ctrl-C may come at any instant."""
        try:
            return self._status is not None and os.path.samestat(self._status, self.target.stat())
        except OSError:
            return False

    def run(self) -> None:
        """Replace ``target``; after a failure or an interruption before the rename, undo all changes.

        Raises:
            OSError: the folder can't be written.
            DatabaseRefused: the disk has no room for a copy of the old file, or another process wrote ``target``, too.
        """
        self._status = self._arriving.stat()
        with ExitStack() as open_files:
            try:
                if os.path.lexists(self.target):
                    self.notices = keep_access(self.target, self._arriving)
                    sync(self._arriving)
                    self._move_content_files(self._keep_old_file(open_files))
                    self._arriving.replace(self.target)
                else:
                    self._take_missing_name()
            except BaseException:
                if not self.is_done():
                    self._undo()
                raise
        if not self.is_done():
            kept = "" if self.kept is None else f" The previous file is kept as {self.kept}."
            raise DatabaseRefused(
                f"{self.target}: another process replaced the restored file. Check the content of the file.{kept}"
            )
        with suppress(OSError):  # the index of the WAL, which SQLite creates again
            beside(self.target, "-shm").unlink()

    def remove_second_names(self) -> None:
        """Remove second names that a killed restore gave to ``target``; the caller holds an exclusive lock."""
        for path in self.target.parent.iterdir():
            if re.fullmatch(re.escape(self.target.name) + _KEPT_SUFFIX, path.name):
                with suppress(OSError):
                    if path.samefile(self.target):
                        path.unlink()

    def _take_missing_name(self) -> None:
        """Take the name of the missing database, unless another process has created one meanwhile."""
        self._move_content_files(
            next(name for name in stamped_names(self.target, "replaced") if not os.path.lexists(name))
        )
        try:
            take_name(self._arriving, self.target)
        except FileExistsError as error:
            raise DatabaseRefused(
                f"{self.target}: another process created this file meanwhile. Nothing was changed; try again."
            ) from error

    def _keep_old_file(self, open_files: ExitStack) -> Path:
        """Give the old file a second name, so that the first is never missing; without hard links, copy the file."""
        for name in stamped_names(self.target, "replaced"):
            self.kept = name
            try:
                os.link(self.target, name)
            except FileExistsError:
                continue
            except OSError:
                break
            return name
        self.kept = None
        with partial_file(self.target, "restore") as copy:
            self._copy_old(copy, open_files)
            self.kept = take_free_name(copy, stamped_names(self.target, "replaced"))
            self._is_copied = True
        return self.kept

    def _copy_old(self, copy: Path, open_files: ExitStack) -> None:
        """Copy the old file to ``copy``.

        The old file stays open until it is replaced: closing it would drop the locks that this process has on it
        (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
        """
        old = open_files.enter_context(self.target.open("rb"))
        require_room(copy, os.fstat(old.fileno()).st_size, str(self.target), "Make room, then try again.")
        with open(copy, "xb", opener=lambda path, flags: os.open(path, flags, OWNER_ONLY)) as new:
            shutil.copyfileobj(old, new)
        keep_access(self.target, copy)
        sync(copy)

    def _move_content_files(self, kept: Path) -> None:
        """Move the WAL or journal, if it could not be merged into the old file, beside ``kept``."""
        for ending in _CONTENT_FILES:
            old, new = beside(self.target, ending), beside(kept, ending)
            if old.exists():
                self._moved.append((old, new))
                old.rename(new)

    def _undo(self) -> None:
        for old, new in self._moved:
            if new.exists() and not old.exists():
                new.rename(old)
        if self.kept is not None:
            with suppress(OSError):
                if self._is_copied or self.kept.samefile(self.target):
                    self.kept.unlink()
            self.kept = None


def keep_access(old: Path, new: Path) -> tuple[str, ...]:
    """Give ``new`` the owner, group, access list, attributes and mode of ``old``; return a notice for each refusal.

    The mode comes last. Until then, ``new`` has mode 0600, so that nobody else can open it.
    """
    refused = []
    for notice, change in _access_changes(old, new):
        try:
            change()
        except OSError:
            refused.append(notice)
    return tuple(refused)


def _access_changes(old: Path, new: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each change, after the notice to give if the change is refused; owner first, mode last."""
    status, new_status = old.stat(), new.stat()
    if status.st_uid != new_status.st_uid:
        yield _REFUSED_NOTICE.format("owner", f" (user {status.st_uid})"), partial(os.chown, new, status.st_uid, -1)
    if status.st_gid != new_status.st_gid:
        yield _REFUSED_NOTICE.format("group", f" ({status.st_gid})"), partial(os.chown, new, -1, status.st_gid)
    wanted, found = _attributes(old), _attributes(new)
    for name in sorted(found.keys() - wanted.keys()):  # the file inherited it from the folder
        notice = f"The restored file keeps the attribute {name}, which the old one lacks."
        yield notice, partial(os.removexattr, new, name)
    for name, value in sorted(wanted.items()):
        if found.get(name) != value:
            yield _REFUSED_NOTICE.format(f"attribute {name}", ""), partial(os.setxattr, new, name, value)
    mode = stat.S_IMODE(status.st_mode) & 0o777
    if stat.S_IMODE(new.stat().st_mode) != mode:
        yield _REFUSED_NOTICE.format("mode", f" ({mode:04o})"), partial(new.chmod, mode)


def _attributes(path: Path) -> dict[str, bytes]:
    """Return the extended attributes, including POSIX access lists; none if the system or file system lacks them."""
    found: dict[str, bytes] = {}
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(path):
                with suppress(OSError):
                    found[name] = os.getxattr(path, name)
    return found
