"""``generate --amend``: the last migration is replaced or deleted, unless it is released or written by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.git import commit_all, git
from tests.support.projects import edit, listing, run

START = "version: 1\ntables:\n  t: {columns: {id: {type: integer, primary_key: true}, a: text}}\n"


def declare(folder: Path, columns: str) -> None:
    """Declare a table with these columns beside its key."""
    (folder / "schema.yaml").write_text(START.replace("a: text", columns), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a first migration, and a second one, which adds the column ``b``."""
    declare(tmp_path, "a: text")
    assert run(tmp_path, "generate").status == 0
    declare(tmp_path, "a: text, b: text")
    assert run(tmp_path, "generate", "-m", "more").status == 0
    return tmp_path


def migrations(folder: Path) -> list[str]:
    """The names in the migrations folder."""
    return sorted(path.name for path in (folder / "migrations").iterdir())


def generated(folder: Path, *changes: str) -> dict[str, str]:
    """The files of a new project whose schema.yaml has these columns one after the other."""
    folder.mkdir()
    for number, columns in enumerate(changes):
        declare(folder, columns)
        assert run(folder, "generate", *(["-m", "more"] if number else [])).status == 0
    return listing(folder)


@pytest.mark.parametrize("name", ["more", "other"])
def test_the_last_migration_is_replaced(project: Path, name: str) -> None:
    """The folder is as if only the new migration had ever been made; the number stays, and so may the name."""
    declare(project, "a: text, c: integer")
    done = run(project, "generate", "--amend", "-m", name)
    assert (done.status, done.out) == (0, "add column t.c (INTEGER)\nreplaced 0002_more\n"), done.err
    assert "If a database has run the old 0002_more, run `waiaas-migrate apply --redo DATABASE`." in done.err
    assert migrations(project) == [
        *("0001_initial.rollback.sql", "0001_initial.sql", f"0002_{name}.rollback.sql", f"0002_{name}.sql"),
        "manifest.json",
    ]
    assert run(project, "check").status == 0
    if name == "more":
        assert listing(project) == generated(project / "fresh", "a: text", "a: text, c: integer")


def test_without_a_name_it_follows_the_changes(project: Path) -> None:
    """Without -m, the new migration is named after its changes, as every migration is."""
    declare(project, "a: text, c: integer")
    assert run(project, "generate", "--amend").status == 0
    assert "0002_add_column_t_c.sql" in migrations(project)


def test_nothing_to_amend(project: Path) -> None:
    """A migration that stays the same keeps its name, and nothing is written."""
    before = listing(project)
    done = run(project, "generate", "--amend")
    assert (done.status, done.err) == (0, "")
    assert done.out == (
        "add column t.b (TEXT)\nNothing to amend: the last migration makes the schema in schema.yaml.\n"
    )
    assert listing(project) == before


def test_the_last_migration_is_undone(project: Path) -> None:
    """If schema.yaml is set back, the last migration's files are deleted, and the manifest is what it was before."""
    declare(project, "a: text")
    done = run(project, "generate", "--amend")
    assert (done.status, done.out) == (0, "deleted 0002_more\n"), done.err
    assert listing(project) == generated(project / "fresh", "a: text")


def test_the_first_migration_is_replaced_and_undone(tmp_path: Path) -> None:
    """The first migration can be replaced and undone like any other."""
    declare(tmp_path, "a: text")
    assert run(tmp_path, "generate").status == 0
    declare(tmp_path, "b: text")
    assert run(tmp_path, "generate", "--amend").status == 0
    assert "b TEXT" in (tmp_path / "migrations" / "0001_initial.sql").read_text(encoding="utf-8")
    (tmp_path / "schema.yaml").write_text("version: 1\ntables: {}\n", encoding="utf-8")
    assert run(tmp_path, "generate", "--amend").out == "deleted 0001_initial\n"
    assert migrations(tmp_path) == ["manifest.json"]
    done = run(tmp_path, "generate", "--amend")
    assert (done.status, done.err) == (
        2,
        "Error: --amend: there is no migration yet. Run `waiaas-migrate generate`.\n",
    )


def test_hazards_stop_it(project: Path) -> None:
    """The new migration's data losses must be allowed; until then the old migration stays."""
    declare(project, "b: text")
    before = listing(project)
    done = run(project, "generate", "--amend")
    assert (done.status, "DROP_COLUMN" in done.out) == (1, True)
    assert listing(project) == before
    assert run(project, "generate", "--amend", "--allow", "drop_column").status == 0
    assert run(project, "check").status == 0


@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_migration_edited_by_hand_is_kept(project: Path, is_recorded: bool) -> None:  # noqa: FBT001
    """Edits are never discarded, whether or not they are recorded."""
    edit(project / "migrations" / "0002_more.sql", "ADD COLUMN b TEXT", "ADD COLUMN b TEXT /* mine */")
    if is_recorded:
        assert run(project, "record").out == "recorded 0002_more as it is now\n"
    declare(project, "a: text, c: integer")
    before = listing(project)
    done = run(project, "generate", "--amend")
    assert (done.status, listing(project)) == (2, before)
    assert ("would discard that" if is_recorded else "was edited after it was recorded") in done.err


@pytest.mark.parametrize("arguments", [[], ["--python"]])
@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_migration_written_by_hand_is_kept(project: Path, arguments: list[str], is_recorded: bool) -> None:  # noqa: FBT001
    """A hand-written migration is refused, since it can't be planned again from schema.yaml."""
    assert run(project, "new", "-m", "mine", *arguments).status == 0
    if is_recorded:
        assert run(project, "record").status == 0
    before = listing(project)
    done = run(project, "generate", "--amend")
    assert (done.status, listing(project)) == (2, before)
    assert ("0003_mine" in done.err, "waiaas-migrate record`" in done.err) == (True, True)


def test_what_the_main_branch_has_is_kept(project: Path) -> None:
    """The migrations of the main branch are released; those of the current branch are not."""
    commit_all(project)
    git(project, "switch", "--quiet", "--create", "mine")
    declare(project, "a: text, b: text, c: text")
    before = listing(project / "migrations")
    done = run(project, "generate", "--amend")
    assert (done.status, listing(project / "migrations")) == (2, before)
    assert done.err == (
        f"Error: {project / 'migrations' / '0002_more.sql'}: is released: the branch main has it. "
        "Write a new migration: run `waiaas-migrate generate`.\n"
    )
    assert run(project, "generate", "-m", "mine").status == 0
    commit_all(project)
    declare(project, "a: text, b: text, c: integer")
    assert run(project, "generate", "--amend", "-m", "mine").out.endswith("replaced 0003_mine\n")


@pytest.mark.parametrize(("named", "status"), [("0001_initial", 0), ("0002_more", 2), ("0003_none", 2)])
def test_a_migration_called_released_is_kept(project: Path, named: str, status: int) -> None:
    """Without git, --released names the last released migration, and must name one that exists."""
    declare(project, "a: text, c: text")
    done = run(project, "generate", "--amend", "--released", named)
    assert done.status == status, done.err
    assert (re.search("is released: --released includes it|no such migration", done.err) is not None) == (status == 2)
    assert run(project, "generate", "--released", named).status == 2


def test_a_swap_of_names_is_planned_again(tmp_path: Path) -> None:
    """After a swap the same names exist as before, so it must be known that the replaced migration made it."""
    declare(tmp_path, "a: text, b: text, c: text, d: text")
    assert run(tmp_path, "generate").status == 0
    first = "a: {type: text, renamed_from: b}, b: {type: text, renamed_from: a}"
    declare(tmp_path, f"{first}, c: text, d: text")
    assert run(tmp_path, "generate", "-m", "swap", "--allow", "all").status == 0
    text = (tmp_path / "migrations" / "0002_swap.sql").read_text(encoding="utf-8")
    declare(tmp_path, f"{first}, c: text, d: text, e: text")
    assert run(tmp_path, "generate", "--amend", "-m", "swap", "--allow", "all").status == 0
    again = (tmp_path / "migrations" / "0002_swap.sql").read_text(encoding="utf-8")
    assert again != text
    assert [line for line in again.splitlines() if "RENAME" in line] == [
        line for line in text.splitlines() if "RENAME" in line
    ]
    declare(tmp_path, "a: text, b: text, c: text, d: text")
    assert run(tmp_path, "generate", "--amend").out == "deleted 0002_swap\n"


def test_an_earlier_swap_is_not_made_again(tmp_path: Path) -> None:
    """Replacing a later migration leaves a swap alone whose hints are still in schema.yaml."""
    declare(tmp_path, "a: text, b: text")
    assert run(tmp_path, "generate").status == 0
    swap = "a: {type: text, renamed_from: b}, b: {type: text, renamed_from: a}"
    declare(tmp_path, swap)
    assert run(tmp_path, "generate", "-m", "swap", "--allow", "all").status == 0
    declare(tmp_path, f"{swap}, c: text")
    assert run(tmp_path, "generate").status == 0
    declare(tmp_path, f"{swap}, c: integer")
    assert run(tmp_path, "generate", "--amend").out == "add column t.c (INTEGER)\nreplaced 0003_add_column_t_c\n"
