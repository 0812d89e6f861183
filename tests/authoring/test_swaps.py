"""Names that trade places do so once: nothing in the schema shows it afterwards, so a second time is never silent."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import run
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
    """``schema`` with one more table."""
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
    """What trades places."""
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path, kind: str) -> Path:
    """A git repository, on a branch that made a swap after the main branch made its own change; a database has both."""
    git(tmp_path, "init", "-qb", "main")
    commit(tmp_path, PLAIN, "start")
    git(tmp_path, "checkout", "-qb", "mine")
    commit(tmp_path, HINTED[kind], "swap", "--allow", "SWAP_NAMES")
    git(tmp_path, "checkout", "-q", "main")
    commit(tmp_path, with_other(PLAIN), "other")
    git(tmp_path, "checkout", "-q", "mine")
    return tmp_path


def everything(path: Path) -> tuple[object, ...]:
    """The values of all rows."""
    with closing(sqlite3.connect(path)) as connection:
        found: tuple[object, ...] = connection.execute(EVERYTHING).fetchone()
        return found


def migrations(project: Path) -> list[str]:
    """The migrations in the folder."""
    return sorted(path.name for path in (project / "migrations").glob("*.sql") if ".rollback" not in path.name)


def assert_not_repeated(project: Path, kind: str) -> None:
    """``generate`` stops at a second swap and writes nothing; without the hints, it records what is there."""
    before = migrations(project)
    text = (project / "schema.yaml").read_text(encoding="utf-8")
    done = run(project, "generate", "-m", "again")
    assert (done.status, "SWAP_NAMES" in done.out + done.err, "If one has" in done.out + done.err) == (1, True, True)
    assert migrations(project) == before
    (project / "schema.yaml").write_text(with_other(PLAIN) if OTHER in text else PLAIN, encoding="utf-8")
    assert run(project, "generate").status == 0
    assert migrations(project) == before
    assert run(project, "check").status == 0
    path = start(project)
    close_database(open_database(path, migrations=project / "migrations"))
    assert everything(path) == AFTER[kind]


def start(project: Path) -> Path:
    """A database as it was before the swap, with rows, which the folder's first migration made."""
    path = project / "b.db"
    first = next((project / "migrations").glob("0001_start.sql")).read_text(encoding="utf-8")
    (project / "first").mkdir()
    (project / "first" / "0001_start.sql").write_text(first, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "yoyo",
            "apply",
            "--batch",
            "--no-config-file",
            "--database",
            f"sqlite:///{path}",
            "first",
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO geo (id, lat, lng, alt) VALUES (1, 1, 2, 3)")
        connection.execute("INSERT INTO old VALUES (4)")
        connection.execute("INSERT INTO new VALUES (5)")
    return path


def merge(project: Path, side: str) -> None:
    """Merge the main branch, and take one side of manifest.json, as the documentation says."""
    git(project, "merge", "-q", "main", status=1)
    git(project, "checkout", f"--{side}", "migrations/manifest.json")


def test_a_merge_that_takes_their_manifest(project: Path, kind: str) -> None:
    """The main branch's manifest knows nothing of the swap."""
    merge(project, "theirs")
    assert_not_repeated(project, kind)


def test_a_merge_that_keeps_our_manifest(project: Path, kind: str) -> None:
    """It has the swap on record, so the hints are ignored, and stay ignored."""
    merge(project, "ours")
    before = migrations(project)
    for _ in range(2):
        assert run(project, "generate").status == 0
        assert migrations(project) == before
    path = start(project)
    assert run(project, "apply", str(path)).status == 0
    assert everything(path) == AFTER[kind]


def test_a_manifest_that_is_made_again(project: Path, kind: str) -> None:
    """It was deleted, and the record with it."""
    (project / "migrations" / "manifest.json").unlink()
    assert_not_repeated(project, kind)


def test_a_manifest_without_its_hints(project: Path, kind: str) -> None:
    """Somebody merged it by hand."""
    path = project / "migrations" / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["hints"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert_not_repeated(project, kind)


def test_migrations_that_are_joined_by_hand(project: Path) -> None:
    """Two files become one, the comments go, and the manifest is made again."""
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


def test_hints_that_stay_are_ignored(project: Path, kind: str) -> None:
    """A later change is generated without asking, and swaps nothing; plain yoyo runs all of it."""
    (project / "schema.yaml").write_text(with_other(HINTED[kind]), encoding="utf-8")
    assert run(project, "generate", "-m", "later").status == 0
    path = start(project)
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "yoyo",
            "apply",
            "--batch",
            "--no-config-file",
            "--database",
            f"sqlite:///{path}",
            "migrations",
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert everything(path) == AFTER[kind]


def test_a_swap_that_is_meant_twice_is_allowed_by_name(project: Path, kind: str) -> None:
    """The hints were removed, and are written again."""
    (project / "schema.yaml").write_text(PLAIN, encoding="utf-8")
    assert run(project, "generate").status == 0
    (project / "schema.yaml").write_text(HINTED[kind], encoding="utf-8")
    assert run(project, "generate").status == 1
    assert run(project, "generate", "-m", "back", "--allow", "SWAP_NAMES").status == 0
    assert migrations(project)[-1] == "0003_back.sql"


def test_a_chain_is_no_swap(tmp_path: Path) -> None:
    """Its last name was free, so the schema shows that it is done, whatever the manifest says."""
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
