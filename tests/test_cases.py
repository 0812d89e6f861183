"""Every case in ``tests/cases``: one schema made another, with rows, by the runner and by plain yoyo.

A case is data, readable without Python:

- ``case``: its name. ``why``: the fact behind it.
- ``old``, ``new``: the two schemas, as schema.yaml has them.
- ``rows``: SQL that puts rows in before. ``catalog_edits: false`` where the project chose so.
- ``expect``: rows afterwards, by table. A table that is not named keeps its rows, down to rowids and storage classes,
  in every column that is there before and after.
- ``back``: rows after the rollback likewise, or ``refused``; without it, only the schema is looked at.
- ``refused``: words of the message where the rows do not let the migration through, and ``mend``, the SQL after which
  they do. ``counted``: what the runner adds, the number of rows and their keys. ``impossible``: words of the message where ``generate`` itself says no.
- ``steps``: the kinds of step that the migration takes, in order; ``sql``: the whole text of the migration.
- ``hazards``: the codes that ``generate`` tells.

To write the ``sql`` of every case anew, and then to read what changed:
``WRITE_CASES=1 python -m pytest -n 0 tests/test_cases.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.transitions import (
    apply_with_runner,
    apply_with_yoyo,
    declared,
    generate,
    is_sound,
    left_to_do,
    orphans,
    roll_back_with_runner,
    roll_back_with_yoyo,
    rows_of,
    run_script,
    schema_of,
    sequences,
    snapshot,
    typed,
    write_schema,
)
from waiaas_migrate.commands.diff import compare
from waiaas_migrate.errors import ApplyError, MigrateError
from waiaas_migrate.files.migration_dir.statements import split_statements
from waiaas_migrate.files.project import find_project
from waiaas_migrate.schema.diff import diff

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
WRITE = bool(os.environ.get("WRITE_CASES"))
KEYS = frozenset(
    "case why old new rows expect back refused counted mend impossible steps sql hazards catalog_edits".split()
)

Case = dict[str, Any]

#: What a statement is recognised by, and the kind of step that it is the heart of.
KINDS = {
    "UPDATE sqlite_schema": "edit",
    "ALTER TABLE _waiaas_new": "rebuild",
    'ALTER TABLE "_waiaas_new': "rebuild",
    "ADD COLUMN": "add column",
    "DROP COLUMN": "drop column",
    "RENAME COLUMN": "rename column",
    "RENAME TO": "rename table",
    "CREATE INDEX": "create index",
    "CREATE UNIQUE INDEX": "create index",
    "CREATE TRIGGER": "create trigger",
    "CREATE VIEW": "create view",
    "CREATE VIRTUAL": "create virtual table",
    "CREATE TABLE": "create table",
    "DROP TABLE": "drop table",
    "DROP INDEX": "drop index",
    "DROP TRIGGER": "drop trigger",
    "DROP VIEW": "drop view",
    "UPDATE ": "update",
}


def all_cases() -> Iterator[Case]:
    """Every case of every file."""
    for path in CASES:
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))


def test_cases_are_well_formed() -> None:
    """Every case has a name of its own, says why, and has no key that nobody reads."""
    cases = list(all_cases())
    names = [case["case"] for case in cases]
    assert len(names) == len(set(names))
    for case in cases:
        assert case["why"], case["case"]
        assert set(case) <= KEYS, case["case"]


@pytest.mark.parametrize("case", list(all_cases()), ids=lambda case: case["case"])
def test_case(case: Case, tmp_path: Path) -> None:
    """The migration leads from one schema to the other and back, and every row is what it should be."""
    Transition(case, tmp_path).check()


class Transition:
    """One case on its two files: ``runner.db``, and ``yoyo.db``, its copy."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder
        self.files: dict[Path, tuple[Callable[[Path, Path], None], Callable[[Path, Path], None]]] = {
            folder / "runner.db": (apply_with_runner, roll_back_with_runner),
            folder / "yoyo.db": (apply_with_yoyo, roll_back_with_yoyo),
        }

    def check(self) -> None:
        """Everything that a case asks for."""
        self.write("old")
        generate(self.folder, "first")
        runner, copy = self.files
        apply_with_runner(self.folder, runner)
        run_script(runner, self.case.get("rows", ""))
        shutil.copy(runner, copy)
        before = schema_of(runner)
        self.write("new")
        if "impossible" in self.case:
            with pytest.raises(MigrateError, match=re.escape(self.case["impossible"])):
                generate(self.folder, "second")
            return
        generated = generate(self.folder, "second")
        assert generated.migration == "0002_second"
        self.check_text()
        self.wanted = declared(self.folder)
        if "hazards" in self.case:
            assert sorted({hazard.code.value for hazard in generated.hazards}) == sorted(self.case["hazards"])
        for database, (apply, roll_back) in self.files.items():
            if "refused" in self.case:
                self.check_refused(database, apply)
            self.check_applied(database, apply)
            self.check_rolled_back(database, roll_back)
            assert diff(schema_of(database), before) == ()
        assert generate(self.folder, "third").migration is None

    def write(self, which: str) -> None:
        """Let schema.yaml say what the case says."""
        write_schema(self.folder, self.case[which], catalog_edits=self.case.get("catalog_edits", True))

    def check_text(self) -> None:
        """The migration says what the case says that it does."""
        path = self.folder / "migrations" / "0002_second.sql"
        text = path.read_text(encoding="utf-8")
        if "steps" in self.case:
            assert steps_of(text) == self.case["steps"], text
        if "sql" in self.case and not WRITE:
            assert body_of(text) == self.case["sql"]
        elif "sql" in self.case:
            write_sql(self.case["case"], body_of(text))

    def check_refused(self, database: Path, apply: Callable[[Path, Path], None]) -> None:
        """The rows are in the way: the file stays as it was, and the message says what is wrong."""
        before = snapshot(database), sequences(database), schema_of(database)
        with pytest.raises(Exception, match=re.escape(self.case["refused"])) as caught:
            apply(self.folder, database)
        if apply is apply_with_runner:
            assert isinstance(caught.value, ApplyError)
            assert caught.value.exit_code == 3
            assert self.case.get("counted", "") in str(caught.value)
        assert (snapshot(database), sequences(database), schema_of(database)) == before
        run_script(database, self.case["mend"])

    def check_applied(self, database: Path, apply: Callable[[Path, Path], None]) -> None:
        """The file is like a new one, and its rows are what they should be."""
        before, marks, orphaned = snapshot(database), sequences(database), orphans(database)
        apply(self.folder, database)
        assert left_to_do(database, self.wanted) == []
        assert is_sound(database)
        assert orphans(database) == orphaned
        expected = self.case.get("expect", {})
        check_rows(database, expected)
        check_kept(before, snapshot(database), except_in={name.lower() for name in expected})
        if "sqlite_sequence" not in expected:
            tables = {table.name for table in schema_of(database).tables}
            kept = [mark for mark in marks if mark["name"] in tables]
            assert [mark for mark in sequences(database) if mark["name"] in {m["name"] for m in marks}] == kept

    def check_rolled_back(self, database: Path, roll_back: Callable[[Path, Path], None]) -> None:
        """The schema before is back, and the rows that the case names."""
        back = self.case.get("back", {})
        if isinstance(back, dict) and "refused" not in back:
            roll_back(self.folder, database)
        else:
            with pytest.raises(Exception, match=re.escape(back["refused"])):
                roll_back(self.folder, database)
            run_script(database, back["mend"])
            roll_back(self.folder, database)
            back = back.get("rows", {})
        assert is_sound(database)
        check_rows(database, back)


def check_rows(database: Path, expected: dict[str, list[dict[str, Any]]]) -> None:
    """Each table named holds exactly these rows, with these storage classes."""
    for table, rows in expected.items():
        columns = rows[0] if rows else ["rowid"]
        assert typed(rows_of(database, table, columns)) == typed(rows), table


def check_kept(
    before: dict[str, dict[str, list[Any]]], after: dict[str, dict[str, list[Any]]], except_in: set[str]
) -> None:
    """Every column that is there before and after holds what it held, under the same rowids."""
    for table in (before.keys() & after.keys()) - except_in:
        for column in before[table].keys() & after[table].keys():
            told = [found[table][column] for found in (before, after)]
            if len({frozenset(row) for rows in told for row in rows}) > 1:  # one of the two has no rowid
                told = [
                    [{name: value for name, value in row.items() if name.lower() == column} for row in rows]
                    for rows in told
                ]
            assert typed(told[1]) == typed(told[0]), f"{table}.{column}"


def body_of(text: str) -> str:
    """A migration without its header."""
    return text.partition("\n\n")[2].strip() + "\n"


def steps_of(text: str) -> list[str]:
    """The kinds of step in a migration, in order, guards and what belongs to another step aside."""
    found: list[str] = []
    passing = re.compile(r"_waiaas_(guard|cookie|facts|keys|violations)")
    for line in text.splitlines():
        kind = next((kind for beginning, kind in KINDS.items() if is_step(line, beginning)), None)
        if kind is None or passing.search(line):
            continue
        if kind == "rebuild":
            # The table that is made under a passing name, and the drop of the old one, are part of it.
            while found.pop() != "create table":
                pass
        found.append(kind)
    return found


def is_step(line: str, beginning: str) -> bool:
    """Whether a line of SQL is the statement that ``beginning`` tells of."""
    if beginning in ("ADD COLUMN", "DROP COLUMN", "RENAME COLUMN", "RENAME TO"):
        return line.startswith("ALTER TABLE") and f" {beginning} " in line
    return line.startswith(beginning)


def write_sql(name: str, text: str) -> None:
    """Put ``text`` in the place of the ``sql`` of the case called ``name``, in its file."""
    for path in CASES:
        source = path.read_text(encoding="utf-8")
        document = yaml.compose(source, Loader=yaml.SafeLoader)
        assert document is not None
        for node in document.value:
            entries = {key.value: (key, value) for key, value in node.value}
            if entries["case"][1].value != name:
                continue
            key, value = entries["sql"]
            start, end = key.end_mark.index, max(value.end_mark.index, key.end_mark.index + 1)
            indented = "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())
            rest = source[end:].lstrip("\n")
            separator = "" if not rest else ("\n" if rest.startswith("- ") else "")
            path.write_text(f"{source[:start]}: |\n{indented}{separator}{rest}", encoding="utf-8")
            return


# --- what a case cannot say: guards, and other connections ------------------------------------------------------------

PARENT: Case = {"columns": {"id": {"type": "integer", "primary_key": True}, "x": {"type": "integer", "default": 1}}}
CHILD: Case = {
    "columns": {"p": {"type": "integer", "references": {"table": "p", "column": "id", "on_delete": "cascade"}}}
}


def prepared(folder: Path, **column: object) -> Path:
    """A file with a parent and its child, and a pending migration that changes the parent's column ``x``."""
    database = folder / "a.db"
    write_schema(folder, {"tables": {"p": PARENT, "c": CHILD}})
    generate(folder, "first")
    apply_with_runner(folder, database)
    run_script(database, "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1);")
    changed = {"columns": {**PARENT["columns"], "x": {**PARENT["columns"]["x"], **column}}}
    write_schema(folder, {"tables": {"p": changed, "c": CHILD}})
    generate(folder, "second")
    return database


def apply_pending(folder: Path, connection: sqlite3.Connection) -> None:
    """Run the pending migration by hand."""
    for statement in split_statements((folder / "migrations" / "0002_second.sql").read_text(encoding="utf-8")):
        connection.execute(statement)


def test_a_rebuild_does_not_run_while_foreign_keys_are_enforced(tmp_path: Path) -> None:
    """Run by hand on a connection that enforces them, it fails before it drops a table, and no child is gone."""
    database = prepared(tmp_path, default=2)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN")
        with pytest.raises(sqlite3.IntegrityError, match="run PRAGMA foreign_keys = OFF before this migration"):
            apply_pending(tmp_path, connection)
        connection.execute("ROLLBACK")
    assert rows_of(database, "c", ["p"]) == [{"p": 1}]


@pytest.mark.parametrize("apply", [apply_with_runner, apply_with_yoyo], ids=["runner", "yoyo"])
def test_a_column_added_by_hand_stops_a_rebuild(tmp_path: Path, apply: Callable[[Path, Path], None]) -> None:
    """A column that somebody added is in no copy list, so the table is not rebuilt."""
    database = prepared(tmp_path, default=2)
    run_script(database, "ALTER TABLE p ADD COLUMN by_hand; UPDATE p SET by_hand = 5;")
    with pytest.raises(Exception, match=r"p: its definition differs|p\.by_hand"):
        apply(tmp_path, database)
    assert rows_of(database, "p", ["id", "x", "by_hand"]) == [{"id": 1, "x": 1, "by_hand": 5}]


@pytest.mark.parametrize("apply", [apply_with_runner, apply_with_yoyo], ids=["runner", "yoyo"])
def test_a_column_added_by_hand_survives_an_edit(tmp_path: Path, apply: Callable[[Path, Path], None]) -> None:
    """An edit replaces one piece of the definition and leaves the rest, and the values, alone."""
    database = prepared(tmp_path, check="x > 0")
    run_script(database, "ALTER TABLE p ADD COLUMN by_hand; UPDATE p SET by_hand = 5;")
    apply(tmp_path, database)
    assert rows_of(database, "p", ["id", "x", "by_hand"]) == [{"id": 1, "x": 1, "by_hand": 5}]
    assert is_sound(database)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        run_script(database, "INSERT INTO p (x) VALUES (-7);")


def test_an_edit_keeps_the_order_that_somebody_gave_the_keys(tmp_path: Path) -> None:
    """The primary key may stand behind what is UNIQUE, and has its index by that place."""
    write_schema(tmp_path, {"tables": {}})
    generate(tmp_path)
    path = tmp_path / "migrations" / "0001_by_hand.sql"
    path.write_text("CREATE TABLE t (a TEXT, b TEXT, UNIQUE (b), PRIMARY KEY (a));\nINSERT INTO t VALUES ('a', 'b');\n")
    table = {"columns": {"a": "text", "b": "text"}, "unique": [["b"]], "primary_key": ["a"], "checks": ["a <> b"]}
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path)
    database = tmp_path / "a.db"
    apply_with_runner(tmp_path, database)
    assert is_sound(database)
    assert rows_of(database, "t", ["a", "b"]) == [{"a": "a", "b": "b"}]
    with (
        closing(sqlite3.connect(database)) as connection,
        pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE .*t\.b"),
    ):
        connection.execute("INSERT INTO t VALUES ('c', 'b')")


@pytest.mark.parametrize("apply", [apply_with_runner, apply_with_yoyo], ids=["runner", "yoyo"])
def test_keys_that_stand_in_another_order_keep_their_indexes(
    tmp_path: Path, apply: Callable[[Path, Path], None]
) -> None:
    """SQLite finds the index of a key by its place in the definition, which an edit does not change."""
    table = {"columns": {"a": "text", "b": "text"}, "unique": [["a"], ["b"]]}
    write_schema(tmp_path, {"tables": {"t": table}})
    generate(tmp_path)
    database = tmp_path / "app.db"
    apply_with_yoyo(tmp_path, database)
    run_script(
        database,
        "DROP TABLE t; CREATE TABLE t (a TEXT, b TEXT, UNIQUE (b), UNIQUE (a)); INSERT INTO t VALUES ('a', 'b');",
    )
    write_schema(tmp_path, {"tables": {"t": {**table, "checks": ["a <> b"]}}})
    generate(tmp_path)
    apply(tmp_path, database)
    assert is_sound(database)
    assert rows_of(database, "t", ["a", "b"]) == [{"a": "a", "b": "b"}]
    with pytest.raises(sqlite3.IntegrityError, match=r"UNIQUE .*t\.b"):
        run_script(database, "INSERT INTO t VALUES ('c', 'b');")


@pytest.mark.parametrize("apply", [apply_with_runner, apply_with_yoyo], ids=["runner", "yoyo"])
def test_other_connections_learn_of_an_edit(tmp_path: Path, apply: Callable[[Path, Path], None]) -> None:
    """A connection that was open before enforces the new rule at once (https://www.sqlite.org/pragma.html#pragma_schema_version)."""
    database = prepared(tmp_path, check="x > 0")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("INSERT INTO p VALUES (2, 7)")
        apply(tmp_path, database)
        with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
            other.execute("INSERT INTO p VALUES (3, -7)")
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_circle_of_renames_is_gone_round_once_for_each_time_it_is_asked_for(tmp_path: Path) -> None:
    """Hints that were fulfilled are not followed again until they were taken out and written anew."""
    database = tmp_path / "a.db"
    one = {"columns": {"a": "integer", "b": "integer"}}
    circle = {"columns": {"b": {"type": "integer", "renamed_from": "a"}, "a": {"type": "integer", "renamed_from": "b"}}}
    write_schema(tmp_path, {"tables": {"t": one}})
    generate(tmp_path, "first")
    apply_with_runner(tmp_path, database)
    run_script(database, "INSERT INTO t (a, b) VALUES (1, 2);")
    write_schema(tmp_path, {"tables": {"t": circle}})
    generate(tmp_path, "second")
    assert generate(tmp_path, "again").migration is None
    write_schema(tmp_path, {"tables": {"t": one}})
    assert generate(tmp_path, "cleared").migration is None
    write_schema(tmp_path, {"tables": {"t": circle}})
    assert generate(tmp_path, "third").migration is not None
    apply_with_runner(tmp_path, database)
    assert rows_of(database, "t", ["a", "b"]) == [{"a": 1, "b": 2}]


def test_a_name_that_was_left_may_be_taken_again(tmp_path: Path) -> None:
    """A fulfilled hint stays where it is while another column, and another table, take the old name and leave it."""
    database = tmp_path / "a.db"
    renamed = {"b": {"type": "integer", "renamed_from": "a"}}
    other = {"v": {"renamed_from": "t", "columns": renamed}}
    for tables, changed in (
        ({"t": {"columns": {"a": "integer"}}}, True),
        (other, True),
        (other, False),
        ({"v": {**other["v"], "columns": {**renamed, "a": "text"}}, "t": {"columns": {"x": "text"}}}, True),
        ({"v": {**other["v"], "columns": {**renamed, "a": "text"}}, "t": {"columns": {"x": "text"}}}, False),
        (other, True),
        (other, False),
    ):
        write_schema(tmp_path, {"tables": tables})
        assert (generate(tmp_path, "step").migration is not None) is changed
        apply_with_runner(tmp_path, database)
        if "t" in tables and len(tables) == 1:
            run_script(database, "INSERT INTO t VALUES (5);")
    assert rows_of(database, "v", ["b"]) == [{"b": 5}]


def test_a_collation_that_every_column_has(tmp_path: Path) -> None:
    """COLLATE BINARY on a column declares what every column has: to write it, or not, is a change that costs nothing."""
    write_schema(tmp_path, {"tables": {"t": {"columns": {"a": {"type": "text", "collate": "BINARY"}}}}})
    assert generate(tmp_path, "first").migration is not None
    write_schema(tmp_path, {"tables": {"t": {"columns": {"a": "text"}}}})
    changed = generate(tmp_path, "second", allow=())
    assert (changed.hazards, len(changed.changes)) == ((), 1)
    text = (tmp_path / "migrations" / "0002_second.sql").read_text(encoding="utf-8")
    assert "reads every row" not in text
    assert "rewrites the table" not in text


def test_a_circle_goes_by_a_name_that_is_free(tmp_path: Path) -> None:
    """The name that opens a circle of renames is none that a column has."""
    columns: Case = {"a": {"type": "integer"}, "b": {"type": "integer"}, "_waiaas_a": "integer", "_waiaas_b": "integer"}
    write_schema(tmp_path, {"tables": {"t": {"columns": columns}}})
    generate(tmp_path, "first")
    apply_with_runner(tmp_path, tmp_path / "a.db")
    run_script(tmp_path / "a.db", "INSERT INTO t VALUES (1, 2, 3, 4);")
    columns["a"], columns["b"] = {**columns["a"], "renamed_from": "b"}, {**columns["b"], "renamed_from": "a"}
    write_schema(tmp_path, {"tables": {"t": {"columns": columns}}})
    generate(tmp_path, "second")
    apply_with_runner(tmp_path, tmp_path / "a.db")
    assert rows_of(tmp_path / "a.db", "t", list(columns)) == [{"a": 2, "b": 1, "_waiaas_a": 3, "_waiaas_b": 4}]


def test_diff_knows_the_hints_that_were_followed(tmp_path: Path) -> None:
    """After a swap of names there is nothing between a database and its schema.yaml; before it, there is the swap."""
    database, yaml_file = tmp_path / "a.db", tmp_path / "schema.yaml"
    old = {"columns": {"a": "integer", "b": "text"}}
    swapped = {"columns": {"b": {"type": "integer", "renamed_from": "a"}, "a": {"type": "text", "renamed_from": "b"}}}
    write_schema(tmp_path, {"tables": {"t": old}})
    generate(tmp_path, "first")
    apply_with_runner(tmp_path, database)
    write_schema(tmp_path, {"tables": {"t": swapped}})
    generate(tmp_path, "second")
    project = find_project(tmp_path)
    assert any("rename column" in change for change in compare(project, str(database), str(yaml_file)).changes)
    assert compare(project, str(tmp_path / "migrations"), str(yaml_file)).changes == ()
    assert compare(project, str(yaml_file), str(yaml_file)).changes == ()
    apply_with_runner(tmp_path, database)
    assert compare(project, str(database), str(yaml_file)).changes == ()
