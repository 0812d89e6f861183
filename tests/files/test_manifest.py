"""The manifest is written deterministically, validated when it is read, and compared with the folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.folders import FAMILY, FAMILY_IDS, PRAGMAS, record_folder, run_python, write_folder
from waiaas_migrate.errors import MigrationsError
from waiaas_migrate.files.migration_dir.facts import UNKNOWN
from waiaas_migrate.files.migration_dir.manifest import (
    MANIFEST,
    Entry,
    Manifest,
    chain,
    check_manifest,
    manifest_text,
    read_manifest,
)
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.sqlite.database.pragmas import Pragma


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recorded folder of three migrations."""
    return write_folder(tmp_path / "m", FAMILY)


@pytest.mark.parametrize("path", [("migrations", 0, "id"), ("migrations", 1, "hash"), ("fingerprint",), ("hints",)])
@pytest.mark.parametrize("half", ["\\ud800", "a\\udfff"])
def test_half_a_surrogate_pair(folder: Path, path: tuple[str | int, ...], half: str) -> None:
    """JSON can escape half a character; reading the manifest refuses it."""
    content = json.loads((folder / MANIFEST).read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = ["HALF"] if path == ("hints",) else "HALF"
    (folder / MANIFEST).write_text(json.dumps(content).replace("HALF", half))
    with pytest.raises(MigrationsError, match=r"is not what generate writes: .* surrogates not allowed"):
        read_manifest(folder)


@pytest.mark.parametrize("pragmas", ['{"a\\ud800": 1}', '{"journal_mode": "\\ud800"}'])
def test_half_a_surrogate_pair_in_a_pragma(folder: Path, pragmas: str) -> None:
    """The name and the value of a PRAGMA are checked, too."""
    content = {**json.loads((folder / MANIFEST).read_text()), "pragmas": "PRAGMAS"}
    (folder / MANIFEST).write_text(json.dumps(content).replace('"PRAGMAS"', pragmas))
    with pytest.raises(MigrationsError, match="surrogates not allowed"):
        read_manifest(folder)


def problems(folder: Path) -> list[str]:
    """Return the differences between the folder's manifest and its files."""
    manifest = read_manifest(folder)
    assert manifest is not None
    return [str(problem) for problem in check_manifest(manifest, read_migrations(folder))]


def test_a_recorded_folder_is_as_recorded(folder: Path) -> None:
    """A folder that was just recorded has no differences, and everything is read back."""
    manifest = read_manifest(folder)
    assert manifest is not None
    assert problems(folder) == []
    assert manifest.ids == FAMILY_IDS
    assert manifest.pragmas == PRAGMAS
    assert str(manifest.fingerprint).startswith("sha256:")


def test_a_folder_without_a_manifest_has_none(tmp_path: Path) -> None:
    """A missing manifest is None, unlike an empty one."""
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "missing") is None
    record_folder(tmp_path, pragmas=())
    assert read_manifest(tmp_path) is not None


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True, max_size=5),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.one_of(st.integers(), st.sampled_from(["ON", "WAL"]))),
    st.one_of(st.none(), st.just("sha256:00")),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], pragmas: dict[str, str | int], fingerprint: str | None
) -> None:
    """Every manifest is read back as written; equal manifests have equal texts, with one line per migration."""
    folder = tmp_path_factory.mktemp("m")
    manifest = Manifest(
        migrations=tuple(Entry(id=name, hash=f"sha256:{number}", facts=UNKNOWN) for number, name in enumerate(ids)),
        pragmas=tuple(Pragma(name=name, value=value) for name, value in pragmas.items()),
        fingerprint=fingerprint,
    )
    text = manifest_text(manifest)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    assert read_manifest(folder) == manifest
    assert manifest_text(manifest) == text
    assert sum('"hash": "sha256:' in line for line in text.split("\n")) == len(ids)


def test_only_the_edited_migration_is_reported(folder: Path) -> None:
    """Later migrations, whose hashes depend on the edited one, are not reported."""
    (folder / "0002_children.sql").write_text("-- depends: 0001_parents\nCREATE TABLE child (id);\n", encoding="utf-8")
    (found,) = problems(folder)
    assert "0002_children.sql: was edited" in found
    assert "If it is released, restore them from git" in found


def test_an_edited_rollback_is_an_edit(folder: Path) -> None:
    """An edited rollback counts as an edit, since the hash covers both files."""
    (folder / "0003_age.rollback.sql").write_text("DROP TABLE parent;\n", encoding="utf-8")
    (found,) = problems(folder)
    assert "0003_age.sql: was edited after it was recorded (or its rollback or its line" in found


def test_other_newlines_are_no_edit(folder: Path) -> None:
    """Other newlines don't count as an edit, since git may change them at checkout."""
    for path in folder.glob("*.sql"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert problems(folder) == []


def test_a_missing_migration_is_named(folder: Path) -> None:
    """The error names the last migration, which was deleted with its rollback."""
    (folder / "0003_age.sql").unlink()
    (folder / "0003_age.rollback.sql").unlink()
    (found,) = problems(folder)
    assert "manifest.json: lists migration 0003_age, which is not in the folder. If it is released, restore" in found


def test_an_unlisted_migration_is_named(folder: Path) -> None:
    """A hand-written migration is reported until ``record`` lists it; a post-apply hook is never listed."""
    write_folder(folder, {"0004_more.sql": "SELECT 1;", "post-apply.sql": "SELECT 1;"}, record=False)
    (found,) = problems(folder)
    assert "0004_more.sql: is not listed in manifest.json. Run `waiaas-migrate record`" in found


def test_another_order_is_named(folder: Path) -> None:
    """A recorded order that contradicts the files' names and dependencies is reported."""
    migrations = read_migrations(folder)
    swapped = (migrations[0], migrations[2], migrations[1])
    (folder / MANIFEST).write_text(manifest_text(Manifest(migrations=chain(swapped, {}))), encoding="utf-8")
    (found,) = problems(folder)
    assert "lists 0003_age before 0002_children" in found


def test_a_merge_that_kept_both_lines_is_named(folder: Path, tmp_path: Path) -> None:
    """If two branches each recorded a migration after the same one, the second one's hash differs."""
    other = write_folder(tmp_path / "other", {**FAMILY, "0005_theirs.sql": "SELECT 5;"})
    write_folder(folder, {"0004_ours.sql": "SELECT 4;"})
    ours, theirs = read_manifest(folder), read_manifest(other)
    assert ours is not None
    assert theirs is not None
    write_folder(folder, {"0005_theirs.sql": "SELECT 5;"}, record=False)
    merged = Manifest(migrations=(*ours.migrations, theirs.migrations[-1]))
    (folder / MANIFEST).write_text(manifest_text(merged), encoding="utf-8")
    (found,) = problems(folder)
    assert "0005_theirs.sql: was recorded after another migration" in found


def git(folder: Path, *arguments: str) -> int:
    """Run git in ``folder`` with a made-up author."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    run = subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, timeout=60, check=False)  # noqa: S607
    return run.returncode


def test_two_branches_conflict_in_git(folder: Path) -> None:
    """If two branches each add a migration, git reports a conflict in the manifest.

    Reading the manifest names the line and the fix.
    """
    assert git(folder, "init", "-q", "-b", "main") == 0
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "base")
    git(folder, "branch", "other")
    write_folder(folder, {"0004_ours.sql": "SELECT 4;"})
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "ours")
    git(folder, "checkout", "-q", "other")
    write_folder(folder, {"0005_theirs.sql": "SELECT 5;"})
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "theirs")
    assert git(folder, "merge", "-q", "main") != 0
    with pytest.raises(MigrationsError, match=r"manifest\.json:\d+: has a merge conflict"):
        read_manifest(folder)


GOOD = {"version": 2, "migrations": [], "pragmas": {}, "fingerprint": None}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "manifest.json:1: is not JSON"),
        (b'{\n"version": 1,\n}', "manifest.json:[23]: is not JSON"),  # Python 3.13 names the comma
        (b"\xff", "can't be read"),
        (b"[]", "is not what generate writes"),
        (b"{}", "is not what generate writes"),
        (b"[" * 100_000, "is not JSON"),
        (json.dumps({**GOOD, "version": 3}).encode(), "has version 3"),
        (json.dumps({**GOOD, "migrations": [{"id": 1, "hash": "x"}]}).encode(), "is not what generate writes"),
        (json.dumps({**GOOD, "migrations": [{"id": "a", "hash": "x"}] * 2}).encode(), "listed twice"),
        (json.dumps({**GOOD, "migrations": {"a": "b"}}).encode(), "is not what generate writes"),
        (json.dumps({**GOOD, "pragmas": [1]}).encode(), "is not what generate writes"),
        (json.dumps({**GOOD, "pragmas": {"a": True}}).encode(), "neither a word nor a whole number"),
        (json.dumps({**GOOD, "fingerprint": 7}).encode(), "is not what generate writes"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """The error says what is wrong, with the line if there is one."""
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(MigrationsError, match=words):
        read_manifest(tmp_path)


def test_a_folder_named_like_the_manifest_is_refused(tmp_path: Path) -> None:
    """A folder named manifest.json is refused."""
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(MigrationsError, match="can't be read"):
        read_manifest(tmp_path)


def test_reading_a_manifest_needs_only_the_standard_library(folder: Path) -> None:
    """Reading a manifest imports none of the slow packages."""
    code = (
        "import sys, pathlib; from waiaas_migrate.files.migration_dir.manifest import read_manifest;"
        "read_manifest(pathlib.Path(sys.argv[1]));"
        "print({'yoyo', 'sqlparse', 'yaml', 'jinja2', 'click', 'syntaqlite'} & set(sys.modules))"
    )
    assert run_python(code, folder).stdout == "set()\n"
