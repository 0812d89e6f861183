"""Replace one file by another so that both are there whatever happens, and so that it is known which is in place."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from waiaas_migrate.errors import DatabaseRefused
from waiaas_migrate.runner.backups.access import keep_access
from waiaas_migrate.runner.backups.backup import require_room
from waiaas_migrate.runner.backups.partial import partial_file, sync_file, take_name

_KEPT = re.compile(r"\.replaced-[0-9]{8}T[0-9]{6}Z(?:-[0-9]+)?\Z")
#: What belongs to the content of a database, and so goes with its file if it could not be merged.
_CONTENT_BESIDE = ("-wal", "-journal")


class Swap:
    """Put the file ``arriving`` in the place of ``target``, which gets the name ``kept``, if there is one.

    ``notices`` say what of the access to ``target`` could not be kept.
    """

    def __init__(self, target: Path, arriving: Path) -> None:
        self.target, self._arriving = target, arriving
        self.kept: Path | None = None
        self.notices: tuple[str, ...] = ()
        self._identity: os.stat_result | None = None
        self._is_copied = False
        self._moved: list[tuple[Path, Path]] = []

    def is_done(self) -> bool:
        """Whether the new file is in place. The file system is asked, since Ctrl-C may come at any instant."""
        try:
            return self._identity is not None and os.path.samestat(self._identity, self.target.stat())
        except OSError:
            return False

    def run(self) -> None:
        """Replace ``target``; if that fails or is interrupted before the rename, everything is as before.

        Raises:
            OSError: the folder can't be written.
            DatabaseRefused: there is no room for a copy of the old file, or another process replaced it too.
        """
        self._identity = self._arriving.stat()
        with ExitStack() as held:
            try:
                if os.path.lexists(self.target):
                    self._replace(held)
                else:
                    self._move_content(next(self._free_names()))
                    self._appear()
            except BaseException:
                if not self.is_done():
                    self._undo()
                raise
        if not self.is_done():
            kept = f" What was there before is kept as {self.kept}." if self.kept is not None else ""
            raise DatabaseRefused(
                f"{self.target}: another process replaced the restored file. Check what it holds.{kept}"
            )
        with suppress(OSError):  # it only indexes the WAL
            _beside(self.target, "-shm").unlink()

    def forget_interrupted(self) -> None:
        """Remove the second names of ``target`` that a killed restore left; the caller holds an exclusive lock."""
        for path in self.target.parent.iterdir():
            name = path.name
            if name.startswith(self.target.name) and _KEPT.match(name[len(self.target.name) :]):
                with suppress(OSError):
                    if path.samefile(self.target):
                        path.unlink()

    def _appear(self) -> None:
        """Take the name of a database that is gone, unless there is one again."""
        try:
            take_name(self._arriving, self.target)
        except FileExistsError as error:
            what = "another process has made it meanwhile. Nothing was changed; try again."
            raise DatabaseRefused(f"{self.target}: {what}") from error

    def _replace(self, held: ExitStack) -> None:
        lost = keep_access(self.target, self._arriving)
        self.notices = tuple(f"The restored file could not be given {one} of the old one." for one in lost)
        sync_file(self._arriving)
        self._keep(held)
        if self.kept is not None:
            self._move_content(self.kept)
        self._arriving.replace(self.target)

    def _keep(self, held: ExitStack) -> None:
        """Give the old file a second name, so that the first is never absent; a copy if there are no hard links."""
        for name in self._free_names():
            self.kept = name
            try:
                os.link(self.target, name)
            except FileExistsError:
                continue
            except OSError:
                break
            return
        self.kept = None
        with partial_file(self.target, "restore") as copy:
            self._copy_old(copy, held)
            for name in self._free_names():
                with suppress(FileExistsError):
                    take_name(copy, name)
                    self.kept, self._is_copied = name, True
                    return

    def _copy_old(self, copy: Path, held: ExitStack) -> None:
        """Copy the old file to ``copy``.

        It stays open until it was replaced: closing it would drop the locks that this process has on it
        (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
        """
        old = held.enter_context(self.target.open("rb"))
        require_room(copy, os.fstat(old.fileno()).st_size, str(self.target), "")
        with open(copy, "xb", opener=_for_its_owner) as new:
            shutil.copyfileobj(old, new)
        keep_access(self.target, copy)
        sync_file(copy)

    def _move_content(self, kept: Path) -> None:
        """Move a WAL or a journal that could not be merged along with its file."""
        for ending in _CONTENT_BESIDE:
            old, new = _beside(self.target, ending), _beside(kept, ending)
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

    def _free_names(self) -> Iterator[Path]:
        """Names for the old file that no file has yet; another process may take one at any time."""
        first = f"{self.target.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        for ending in ("", *(f"-{number}" for number in range(2, 10_000))):
            name = self.target.with_name(first + ending)
            if not os.path.lexists(name):
                yield name


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
