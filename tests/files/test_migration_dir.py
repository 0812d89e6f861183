"""A migrations folder is read as yoyo reads it, and split into statements as SQLite splits them."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoyo.migrations import read_migrations as yoyo_read
from yoyo.migrations import topological_sort

from tests.support.folders import FAMILY, FAMILY_IDS, run_python, write_folder
from waiaas_migrate.errors import MigrationsError
from waiaas_migrate.files.migration_dir.migration_files import (
    MigrationFile,
    migration_hash,
    read_migrations,
    read_with_post_apply,
)
from waiaas_migrate.files.migration_dir.statements import first_line, split_statements

# --- statements -------------------------------------------------------------------------------------------------------

BLANK = st.sampled_from([" ", "\n", "\t", " -- a; 'b\n", ' /* c; " */ ', "\n--\n", "/**/", "\r\n"])
WORDS = st.sampled_from(
    ["a", "';'", "'it''s; -- no'", '";"', '"a""; b"', "[a;b]", "`;`", "x'00'", "1", "-", "/", "END"]
)
TRIGGER = "CREATE TRIGGER {} AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN ';' END; {} END"


@st.composite
def statements(draw: st.DrawFn) -> str:
    """Return a statement with blanks and comments in it, sometimes a trigger; it need not make sense."""
    words = draw(st.lists(WORDS, min_size=1, max_size=4))
    text = "".join(["SELECT", *(f"{draw(BLANK)}{word}" for word in words)])
    if draw(st.booleans()):
        return TRIGGER.format(draw(WORDS), f"{text};{draw(BLANK)}" if draw(st.booleans()) else "")
    return text


@given(st.lists(st.tuples(statements(), BLANK, BLANK), max_size=6), st.booleans())
def test_statements_end_where_sqlite_says(parts: list[tuple[str, str, str]], last_ends: bool) -> None:  # noqa: FBT001
    """Statements joined with semicolons are split at the same places, and each piece is one complete statement."""
    wanted = [f"{text}{before};" for text, before, _ in parts]
    script = "".join(f"{one}{after}" for one, (_, _, after) in zip(wanted, parts, strict=True))
    if wanted and not last_ends:
        script = script.rstrip()
        at = script.rindex(wanted[-1]) + len(wanted[-1]) - 1
        script = script[:at] + script[at + 1 :]
    found = split_statements(script)
    assert len(found) == len(parts)
    for piece, (text, _, _) in zip(found, parts, strict=True):
        assert text in piece
        assert sqlite3.complete_statement(piece + "\n;")
    rest = script
    for piece in found:
        rest = rest[rest.index(piece) + len(piece) :]
    assert split_statements(rest) == ()


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=5), st.lists(BLANK, min_size=12, max_size=12))
def test_executing_the_pieces_does_what_the_script_does(names: list[str], blanks: list[str]) -> None:
    """SQLite builds the same database from the whole script and from its pieces."""
    blank = itertools.cycle(blanks)
    script = "CREATE TABLE t (x DEFAULT ';');" + "".join(
        f"{next(blank)}CREATE TABLE {name}{number} (x CHECK (x <> '; --'));{next(blank)}"
        f"CREATE TRIGGER t{number} AFTER INSERT ON t BEGIN{next(blank)}INSERT INTO {name}{number} VALUES"
        f" (CASE WHEN 1 THEN 'a;b' END);{next(blank)}END;INSERT INTO t VALUES{next(blank)}('it''s; {name}');"
        for number, name in enumerate(names)
    )
    with closing(sqlite3.connect(":memory:")) as whole, closing(sqlite3.connect(":memory:")) as pieces:
        whole.executescript(script)
        for piece in split_statements(script):
            pieces.execute(piece)
        assert list(whole.iterdump()) == list(pieces.iterdump())


def test_pieces_without_a_statement_are_left_out() -> None:
    """Comments, blanks and lone semicolons are left out, since they execute nothing."""
    assert split_statements("") == ()
    assert split_statements(" -- only; this\n;;/* and; that */;\n") == ()
    assert split_statements("SELECT 1") == ("SELECT 1",)
    assert split_statements("-- why\nSELECT 1; -- done") == ("-- why\nSELECT 1;",)


@pytest.mark.parametrize(
    "end",
    ["SELECT 'a", 'SELECT "a;', "SELECT /* a;", "SELECT [a;", "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;"],
)
def test_an_incomplete_end_is_reported_with_its_line(end: str) -> None:
    """A string, comment or trigger that does not end is an error at the line where its statement begins."""
    with pytest.raises(MigrationsError) as caught:
        split_statements(f"SELECT 1;\n-- x\n{end}\n", file="a.sql")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("a.sql", 3)


def test_a_nul_character_is_reported() -> None:
    """A NUL character is reported, since SQLite would silently stop reading there."""
    with pytest.raises(MigrationsError, match="NUL"):
        split_statements("SELECT 1;\0SELECT 2;")


def test_large_scripts_are_split() -> None:
    """Large files, long strings full of semicolons and long triggers are split; quadratic work would take minutes."""
    scripts = [
        "INSERT INTO t VALUES (1);\n" * 40_000,
        "SELECT '" + "; --" * 250_000 + "';",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN " + "SELECT 1; " * 100_000 + "END;",
    ]
    assert [len(split_statements(script)) for script in scripts] == [40_000, 1, 1]


def test_the_first_line_is_that_of_the_code() -> None:
    """A statement's line is that of its code, not that of the comments before it."""
    assert first_line("-- why\n\n/* more */ CREATE TABLE t (\n  x\n);") == "CREATE TABLE t ("
    assert first_line("-- why") == ""


# --- folders ----------------------------------------------------------------------------------------------------------


@st.composite
def folders(draw: st.DrawFn) -> dict[str, str]:
    """Return the files of a folder whose migrations depend on each other without a cycle.

    Their order is unlike that of names.
    """
    names = draw(st.lists(st.from_regex(r"[a-c_0-9-]{1,4}", fullmatch=True), unique=True, max_size=9))
    rank = {name: index for index, name in enumerate(draw(st.permutations(names)))}
    files: dict[str, str] = {}
    for name in names:
        below = [other for other in names if rank[other] < rank[name]]
        depends = draw(st.lists(st.sampled_from(below), max_size=3)) if below else []
        header = draw(
            st.sampled_from(["", "\n", "-- about\n\n", "  -- transactional: TRUE\n", "-- transactional: false\n"])
        )
        line = draw(st.sampled_from(["-- depends: {}\n", "--depends:{}\n", "  --  depends :  {}\n-- more\n"]))
        late = draw(st.sampled_from(["", "-- depends: nowhere\n", "/* x */\n-- depends: nowhere\n"]))
        ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
        text = header + (line.format(" ".join(depends)) if depends else "") + f"SELECT '{name}';\n" + late
        files[f"{name}.sql"] = text.replace("\n", ending)
    if draw(st.booleans()):
        files |= {"post-apply.sql": "SELECT 1;", "_tmp_yoyonewx.sql": "SELECT", "README.md": "", "x.SQL": ""}
    return files


@given(folders())
@settings(max_examples=200)
def test_a_folder_is_read_as_yoyo_reads_it(files: dict[str, str]) -> None:
    """Ids, order, dependencies, transactions and statements are those of yoyo, for any valid folder."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_bytes(text.encode())
        theirs = yoyo_read(str(folder))
        ordered = list(topological_sort(theirs))
        mine = read_migrations(folder)
        assert [migration.id for migration in mine] == [migration.id for migration in ordered]
        for one, other in zip(mine, ordered, strict=True):
            assert migration_hash(one.id) == other.hash
            assert set(one.depends) == {dependency.id for dependency in other.depends}
            assert one.transactional == other.use_transactions
        assert [hook.id for hook in read_with_post_apply(folder)[1]] == [hook.id for hook in theirs.post_apply]


def test_the_order_is_yoyos_for_many_dependencies(tmp_path: Path) -> None:
    """Of several migrations that can be next, the first by name is next."""
    names = [f"{number:03}" for number in range(120)]
    files = {
        f"{name}.sql": f"-- depends: {' '.join(names[index + 1 : index + 3])}\nSELECT 1;" if index % 3 else "SELECT 1;"
        for index, name in enumerate(names)
    }
    files["118.sql"] = files["119.sql"] = "SELECT 1;"
    write_folder(tmp_path / "m", files, record=False)
    theirs = [migration.id for migration in topological_sort(yoyo_read(str(tmp_path / "m")))]
    assert [migration.id for migration in read_migrations(tmp_path / "m")] == theirs


def test_a_migration_carries_its_text_and_its_rollback(tmp_path: Path) -> None:
    """A migration has its whole text and its rollback's, each split into statements."""
    migrations = read_migrations(write_folder(tmp_path / "m", FAMILY))
    assert tuple(migration.id for migration in migrations) == FAMILY_IDS
    child = migrations[1]
    assert (child.kind, child.depends, child.transactional) == ("sql", ("0001_parents",), True)
    assert len(child.statements) == 2
    assert child.rollback_statements == ("DROP TABLE child;",)


def test_newlines_do_not_count_and_content_does(tmp_path: Path) -> None:
    """A checkout with other newlines has the same hash; a changed migration or rollback has another."""

    def content_hash(text: bytes, rollback: bytes | None = None) -> str:
        (tmp_path / "a.sql").write_bytes(text)
        if rollback is not None:
            (tmp_path / "a.rollback.sql").write_bytes(rollback)
        return read_migrations(tmp_path)[0].content_hash

    first = content_hash(b"SELECT 1;\nSELECT 2;\n")
    assert content_hash(b"SELECT 1;\r\nSELECT 2;\r\n") == first
    assert content_hash(b"SELECT 1;\nSELECT 3;\n") != first
    assert content_hash(b"SELECT 1;\nSELECT 2;\n", b"SELECT 4;") != first


def test_python_migrations(tmp_path: Path) -> None:
    """``__depends__`` and ``__transactional__`` are read as yoyo reads them."""
    write_folder(
        tmp_path / "m",
        {
            "b.py": "from yoyo import step\n__depends__ = {'c'}\n__transactional__ = False\nstep('SELECT 1')\n",
            "a.py": "from yoyo import step\n__depends__ = 'b'\nsteps = [step('SELECT 1', 'SELECT 2')]\n",
            "c.sql": "SELECT 1;",
        },
        record=False,
    )
    found = read_migrations(tmp_path / "m")
    assert [(m.id, m.kind, m.depends, m.transactional) for m in found] == [
        ("c", "sql", (), True),
        ("b", "python", ("c",), False),
        ("a", "python", ("b",), True),
    ]


def test_an_absent_folder_may_be_empty(tmp_path: Path) -> None:
    """A missing folder is an error, unless the caller allows it."""
    assert read_migrations(tmp_path / "m", missing_ok=True) == ()
    with pytest.raises(MigrationsError, match="no such folder"):
        read_migrations(tmp_path / "m")


FAULTS: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "unknown dependency": ({"a.sql": b"-- depends: b c\nSELECT 1;"}, ["depends on b", "depends on c"]),
    "circle": (
        {
            "a.sql": b"-- depends: b\nSELECT 1;",
            "b.sql": b"-- depends: c\nSELECT 1;",
            "c.sql": b"-- depends: b\nSELECT 1;",
        },
        ["b → c → b"],
    ),
    "itself": ({"a.sql": b"-- depends: a\nSELECT 1;"}, ["a → a"]),
    "orphaned rollback": (
        {"a.rollback.sql": b"SELECT 1;"},
        ["rolls back a.sql, which is missing. Restore a.sql from git"],
    ),
    "two of one id": ({"a.sql": b"SELECT 1;", "a.py": b""}, ["the same id as a.py"]),
    "not UTF-8": ({"a.sql": b"SELECT 1;\n\xff"}, ["a.sql:2: the byte 0xFF is not UTF-8"]),
    "rollback not UTF-8": ({"a.sql": b"SELECT 1;", "a.rollback.sql": b"\xff"}, ["a.rollback.sql:1"]),
    "byte order mark": ({"a.sql": b"\xef\xbb\xbfSELECT 1;"}, ["byte order mark"]),
    "incomplete": ({"a.sql": b"SELECT 1;\nSELECT '"}, ["a.sql:2"]),
    "transactional": ({"a.sql": b"-- x\n-- transactional: no\nSELECT 1;"}, ["a.sql:2", "must be true or false"]),
    "broken Python": ({"a.py": b"import no_such_module"}, ["can't be loaded: ModuleNotFoundError"]),
    "many at once": (
        {"a.sql": b"-- depends: x\nSELECT '", "b.rollback.sql": b"", "c.sql": b"\xff"},
        ["depends on x", "a.sql:2", "rolls back b.sql", "c.sql:1"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_all_problems_of_a_folder_are_reported(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    """The error has each problem with its file, and nothing is printed."""
    files, words = FAULTS[name]
    for file, data in files.items():
        (tmp_path / file).write_bytes(data)
    with pytest.raises(MigrationsError) as caught:
        read_migrations(tmp_path)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.exit_code == 2
    assert capfd.readouterr() == ("", "")


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    """A path that is not a folder is an error, even if a missing folder is allowed."""
    (tmp_path / "m").touch()
    with pytest.raises(MigrationsError, match="can't be read as a folder"):
        read_migrations(tmp_path / "m", missing_ok=True)


def test_reading_sql_migrations_needs_no_yoyo(tmp_path: Path) -> None:
    """Reading SQL migrations imports only the standard library."""
    write_folder(tmp_path / "m", FAMILY)
    code = (
        "import sys, pathlib; from waiaas_migrate.files.migration_dir.migration_files import read_migrations;"
        "print(len(read_migrations(pathlib.Path(sys.argv[1]))), {'yoyo', 'sqlparse'} & set(sys.modules))"
    )
    assert run_python(code, tmp_path / "m").stdout == "3 set()\n"


def test_values_are_equal_when_their_files_are(tmp_path: Path) -> None:
    """Reading twice gives equal values."""
    folder = write_folder(tmp_path / "m", FAMILY)
    first, second = read_migrations(folder), read_migrations(folder)
    assert first == second
    assert all(isinstance(migration, MigrationFile) for migration in first)
