"""Swapped names: the schema does not show whether a swap has run, so a second swap is never silent."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import run
from tests.support.transitions import apply_with_yoyo
from waiaas_migrate import close_database, open_database

PLAIN = """\
version: 1
tables:
  geo:
    columns:
      id: {type: integer, primary_key: true}
      lat: {type: real, nullable: false}
      lng: {type: real, nullable: false}
      alt: {type: real, nullable: false}
  old: {columns: {id: {type: integer, primary_key: true}}}
  new: {columns: {id: {type: integer, primary_key: true}}}
"""
COLUMNS = PLAIN.replace("lat: {", "lat: {renamed_from: lng, ").replace("lng: {", "lng: {renamed_from: lat, ")
CYCLE = (
    PLAIN.replace("lat: {", "lat: {renamed_from: lng, ")
    .replace("lng: {", "lng: {renamed_from: ALT, ")
    .replace("alt: {", "alt: {renamed_from: Lat, ")
)
TABLES = PLAIN.replace("old: {", "old: {renamed_from: new, ").replace("new: {", "new: {renamed_from: old, ")
HINTED = {"columns": COLUMNS, "cycle": CYCLE, "tables": TABLES}
OTHER = "  other: {columns: {id: {type: integer, primary_key: true}}}\n"
EVERYTHING = "SELECT lat, lng, alt, (SELECT id FROM old), (SELECT id FROM new) FROM geo"
AFTER = {"columns": (2, 1, 3, 4, 5), "cycle": (2, 3, 1, 4, 5), "tables": (1, 2, 3, 5, 4)}


def with_other(schema: str) -> str:
    """Add a table to ``schema``."""
    return schema.replace("tables:\n", f"tables:\n{OTHER}")


def git(folder: Path, *arguments: str, status: int = 0) -> None:
    """Run git in ``folder``."""
    names = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    done = subprocess.run(
        ["git", *names, *arguments],  # noqa: S607 — whichever git is installed
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr


def commit(folder: Path, schema: str, name: str, *options: str) -> None:
    """Write schema.yaml, generate, and commit both."""
    (folder / "schema.yaml").write_text(schema, encoding="utf-8")
    done = run(folder, "generate", "-m", name, *options)
    assert done.status == 0, done.err
    git(folder, "add", "schema.yaml", "migrations")
    git(folder, "commit", "-qm", name)


@pytest.fixture(params=HINTED)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of swap."""
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path, kind: str) -> Path:
    """A git repository on a branch with a swap; the main branch has another change."""
    git(tmp_path, "init", "-qb", "main")
    commit(tmp_path, PLAIN, "start")
    git(tmp_path, "checkout", "-qb", "mine")
    commit(tmp_path, HINTED[kind], "swap", "--allow", "SWAP_NAMES")
    git(tmp_path, "checkout", "-q", "main")
    commit(tmp_path, with_other(PLAIN), "other")
    git(tmp_path, "checkout", "-q", "mine")
    return tmp_path


def everything(path: Path) -> tuple[object, ...]:
    """Return the values of all rows."""
    with closing(sqlite3.connect(path)) as connection:
        found: tuple[object, ...] = connection.execute(EVERYTHING).fetchone()
        return found


def migrations(project: Path) -> list[str]:
    """Return the names of the migrations in the folder."""
    return sorted(path.name for path in (project / "migrations").glob("*.sql") if ".rollback" not in path.name)


def assert_not_repeated(project: Path, kind: str) -> None:
    """``generate`` refuses a second swap and writes nothing; without the hints, it records the migrations."""
    before = migrations(project)
    text = (project / "schema.yaml").read_text(encoding="utf-8")
    done = run(project, "generate", "-m", "again")
    said = done.out + done.err
    assert (done.status, "SWAP_NAMES" in said, "remove these renamed_from hints" in said) == (1, True, True)
    assert migrations(project) == before
    (project / "schema.yaml").write_text(with_other(PLAIN) if OTHER in text else PLAIN, encoding="utf-8")
    assert run(project, "generate").status == 0
    assert migrations(project) == before
    assert run(project, "check").status == 0
    path = start(project)
    close_database(open_database(path, migrations=project / "migrations"))
    assert everything(path) == AFTER[kind]


def start(project: Path) -> Path:
    """Make a database with rows by the first migration, as it was before the swap."""
    path = project / "b.db"
    first = next((project / "migrations").glob("0001_start.sql")).read_text(encoding="utf-8")
    (project / "first" / "migrations").mkdir(parents=True)
    (project / "first" / "migrations" / "0001_start.sql").write_text(first, encoding="utf-8")
    apply_with_yoyo(project / "first", path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO geo (id, lat, lng, alt) VALUES (1, 1, 2, 3)")
        connection.execute("INSERT INTO old VALUES (4)")
        connection.execute("INSERT INTO new VALUES (5)")
    return path


def merge(project: Path, side: str) -> None:
    """Merge the main branch, and keep one side of manifest.json, as the documentation says."""
    git(project, "merge", "-q", "main", status=1)
    git(project, "checkout", f"--{side}", "migrations/manifest.json")


def test_a_merge_that_takes_their_manifest(project: Path, kind: str) -> None:
    """The manifest of the main branch does not record the swap, so ``generate`` asks."""
    merge(project, "theirs")
    assert_not_repeated(project, kind)


def test_a_merge_that_keeps_our_manifest(project: Path, kind: str) -> None:
    """Our manifest records the swap, so ``generate`` ignores the hints, the second time too."""
    merge(project, "ours")
    before = migrations(project)
    for _ in range(2):
        assert run(project, "generate").status == 0
        assert migrations(project) == before
    path = start(project)
    assert run(project, "apply", str(path)).status == 0
    assert everything(path) == AFTER[kind]


def test_a_deleted_manifest(project: Path, kind: str) -> None:
    """Without the manifest, nothing records the swap, so ``generate`` asks."""
    (project / "migrations" / "manifest.json").unlink()
    assert_not_repeated(project, kind)


def test_a_manifest_without_its_hints(project: Path, kind: str) -> None:
    """A manifest merged by hand may have lost its hints, so ``generate`` asks."""
    path = project / "migrations" / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["hints"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert_not_repeated(project, kind)


def test_migrations_joined_by_hand(project: Path) -> None:
    """``generate`` asks if two files were joined without comments, and the manifest was deleted."""
    folder = project / "migrations"
    second = folder / "0002_swap.sql"
    text = (folder / "0001_start.sql").read_text(encoding="utf-8") + second.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    for file in folder.iterdir():
        file.unlink()
    (folder / "0001_all.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = run(project, "generate", "-m", "again")
    assert (done.status, "SWAP_NAMES" in done.out + done.err) == (1, True)
    assert migrations(project) == ["0001_all.sql"]


def test_fulfilled_hints_are_ignored(project: Path, kind: str) -> None:
    """A later change is generated without a question, and does not swap again, also with plain yoyo."""
    (project / "schema.yaml").write_text(with_other(HINTED[kind]), encoding="utf-8")
    assert run(project, "generate", "-m", "later").status == 0
    path = start(project)
    apply_with_yoyo(project, path)
    assert everything(path) == AFTER[kind]


def test_a_second_swap_is_allowed_by_name(project: Path, kind: str) -> None:
    """Removing the hints and writing them again asks for a second swap, which ``--allow`` permits."""
    (project / "schema.yaml").write_text(PLAIN, encoding="utf-8")
    assert run(project, "generate").status == 0
    (project / "schema.yaml").write_text(HINTED[kind], encoding="utf-8")
    assert run(project, "generate").status == 1
    assert run(project, "generate", "-m", "back", "--allow", "SWAP_NAMES").status == 0
    assert migrations(project)[-1] == "0003_back.sql"


def test_a_chain_is_not_a_swap(tmp_path: Path) -> None:
    """The last name of a chain was free, so the schema itself shows that the renames have run."""
    chain = PLAIN.replace("lat: {", "far: {renamed_from: lat, ").replace("lng: {", "lat: {renamed_from: lng, ")
    (tmp_path / "schema.yaml").write_text(PLAIN, encoding="utf-8")
    assert run(tmp_path, "generate", "-m", "start").status == 0
    (tmp_path / "schema.yaml").write_text(chain, encoding="utf-8")
    assert run(tmp_path, "generate", "-m", "chain").status == 0
    for later in (chain, chain.replace("alt: {", "lng: {type: real, default: 0}\n      alt: {")):
        (tmp_path / "schema.yaml").write_text(later, encoding="utf-8")
        (tmp_path / "migrations" / "manifest.json").unlink()
        assert run(tmp_path, "generate", "-m", "later").status == 0
    assert migrations(tmp_path) == ["0001_start.sql", "0002_chain.sql", "0003_later.sql"]
    assert "RENAME" not in (tmp_path / "migrations" / "0003_later.sql").read_text(encoding="utf-8")
