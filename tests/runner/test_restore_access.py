"""``restore`` keeps owner, group, mode, access list and attributes."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, write_folder
from tests.support.projects import Run, run
from tests.support.rights import IS_ROOT

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_NOBODY_IN_PARTICULAR = 0xFFFFFFFF


def access_list(user: int, rights: int, group: int = 0) -> bytes:
    """Return a POSIX access list with these rights for ``user`` and the group (acl(5), linux/posix_acl_xattr.h)."""
    entries = [
        (1, 6, _NOBODY_IN_PARTICULAR),
        (2, rights, user),
        (4, group, _NOBODY_IN_PARTICULAR),
        (16, rights | group, _NOBODY_IN_PARTICULAR),
        (32, 0, _NOBODY_IN_PARTICULAR),
    ]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Make a database with a backup beside it; skip if the file system has no extended attributes."""
    write_folder(tmp_path / "migrations", FAMILY)
    assert run(tmp_path, "apply", "app.db").status == 0
    write_folder(tmp_path / "migrations", {"0004_tidy.sql": "-- depends: 0003_age\nDELETE FROM parent;\n"})
    assert run(tmp_path, "apply", "app.db").status == 0
    path = tmp_path / "app.db"
    try:
        os.setxattr(path, "user.owner", b"billing")
        os.setxattr(path, ACCESS, access_list(12345, 6))
    except (AttributeError, OSError):
        pytest.skip("the file system has no access lists or extended attributes")
    return path


def restored(database: Path) -> Run:
    """Restore, assert that the file was replaced, and return the outcome."""
    before = database.stat().st_ino
    done = run(database.parent, "restore", "app.db")
    assert done.status == 0, done.err
    assert database.stat().st_ino != before
    return done


def test_the_access_list_and_attributes_stay(database: Path) -> None:
    """The restored file has the access list and attributes of the replaced file."""
    before = database.stat()
    names = {name: os.getxattr(database, name) for name in os.listxattr(database)}
    assert "Note:" not in restored(database).err
    assert {name: os.getxattr(database, name) for name in os.listxattr(database)} == names
    assert stat.S_IMODE(database.stat().st_mode) == stat.S_IMODE(before.st_mode)


def test_the_folder_gives_nobody_access(database: Path) -> None:
    """A default access list of the folder grants nobody access to the restored file."""
    os.removexattr(database, ACCESS)
    database.chmod(0o640)
    os.setxattr(database.parent, DEFAULT, access_list(12345, 6))
    restored(database)
    assert ACCESS not in os.listxattr(database)
    assert stat.S_IMODE(database.stat().st_mode) == 0o640


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
def test_owner_and_group_stay(database: Path) -> None:
    """Owner and group stay if another user restores."""
    os.chown(database, 12345, 54321)
    restored(database)
    assert (database.stat().st_uid, database.stat().st_gid) == (12345, 54321)
    assert os.getxattr(database, ACCESS) == access_list(12345, 6)
