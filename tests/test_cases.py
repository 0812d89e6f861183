"""Run every case in ``tests/cases``: change one schema into another, with rows, by the runner and by plain yoyo.

A case is data, and readable without Python:

- ``case``: its name. ``why``: the reason for it.
- ``old``, ``new``: the two schemas, as in schema.yaml.
- ``rows``: SQL that inserts rows before the migration. ``catalog_edits``: the setting of the project.
- ``expect``: the rows of each table after the migration. A table that is not named keeps the values, rowids and storage
  classes of all columns that exist before and after.
- ``back``: the rows after the rollback, or ``refused`` as below. Without it, only the schema is compared.
- ``refused``: part of the message if the rows make the migration fail, and ``mend``: SQL after which it succeeds.
  ``counted``: what the runner adds to the message: the number of rows and their keys.
- ``impossible``: part of the message if ``generate`` refuses the change.
- ``steps``: the kinds of step in the migration, in order. ``sql``: its whole text.
- ``hazards``: the codes that ``generate`` reports.

To update the ``sql`` of every case, and then review the difference:
``WRITE_CASES=1 python -m pytest -n 0 tests/test_cases.py``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
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
from waiaas_migrate.errors import ApplyError, MigrateError
from waiaas_migrate.schema.diff import diff

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
WRITE = bool(os.environ.get("WRITE_CASES"))
KEYS = frozenset(
    "case why old new rows expect back refused counted mend impossible steps sql hazards catalog_edits".split()
)

Case = dict[str, Any]

#: The beginning of a statement, or its characteristic words, and the kind of its step.
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
    """Yield every case of every file."""
    for path in CASES:
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))


def test_cases_are_well_formed() -> None:
    """Every case has a unique name, a reason, and no unknown key."""
    cases = list(all_cases())
    names = [case["case"] for case in cases]
    assert len(names) == len(set(names))
    for case in cases:
        assert case["why"], case["case"]
        assert set(case) <= KEYS, case["case"]


@pytest.mark.parametrize("case", list(all_cases()), ids=lambda case: case["case"])
def test_case(case: Case, tmp_path: Path) -> None:
    """The migration leads from one schema to the other and back, and every row is as expected."""
    Transition(case, tmp_path).check()


class Transition:
    """One case on two files: ``runner.db``, and its copy ``yoyo.db``."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder
        self.files: dict[Path, tuple[Callable[[Path, Path], None], Callable[[Path, Path], None]]] = {
            folder / "runner.db": (apply_with_runner, roll_back_with_runner),
            folder / "yoyo.db": (apply_with_yoyo, roll_back_with_yoyo),
        }

    def check(self) -> None:
        """Check everything that the case says."""
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
        """Write one of the schemas of the case."""
        write_schema(self.folder, self.case[which], catalog_edits=self.case.get("catalog_edits", True))

    def check_text(self) -> None:
        """Compare the text of the migration."""
        path = self.folder / "migrations" / "0002_second.sql"
        text = path.read_text(encoding="utf-8")
        if "steps" in self.case:
            assert steps_of(text) == self.case["steps"], text
        if "sql" in self.case and not WRITE:
            assert body_of(text) == self.case["sql"]
        elif "sql" in self.case:
            write_sql(self.case["case"], body_of(text))

    def check_refused(self, database: Path, apply: Callable[[Path, Path], None]) -> None:
        """Check that the migration fails with the message, and leaves the file as it was."""
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
        """Apply the migration, and check that the schema is as declared and the rows are as expected."""
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
        """Roll back, and check the rows that the case names."""
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
    """Check that each table holds exactly these rows, with these storage classes."""
    for table, rows in expected.items():
        columns = rows[0] if rows else ["rowid"]
        assert typed(rows_of(database, table, columns)) == typed(rows), table


def check_kept(
    before: dict[str, dict[str, list[Any]]], after: dict[str, dict[str, list[Any]]], except_in: set[str]
) -> None:
    """Check that columns that exist before and after keep their values, under the same rowids."""
    for table in (before.keys() & after.keys()) - except_in:
        for column in before[table].keys() & after[table].keys():
            held = [found[table][column] for found in (before, after)]
            if len({frozenset(row) for rows in held for row in rows}) > 1:  # One of the two has no rowid.
                held = [
                    [{name: value for name, value in row.items() if name.lower() == column} for row in rows]
                    for rows in held
                ]
            assert typed(held[1]) == typed(held[0]), f"{table}.{column}"


def body_of(text: str) -> str:
    """Return a migration without its header."""
    return text.partition("\n\n")[2].strip() + "\n"


def steps_of(text: str) -> list[str]:
    """Return the kinds of step in a migration, in order, without guards."""
    found: list[str] = []
    temporary = re.compile(r"_waiaas_(guard|cookie|facts|keys|violations|old_)")
    for line in text.splitlines():
        kind = next((kind for beginning, kind in KINDS.items() if is_step(line, beginning)), None)
        if temporary.search(line):
            continue
        if kind is None:
            assert not re.match("CREATE |ALTER |DROP ", line), f"add the kind of this statement to KINDS: {line}"
            continue
        if kind == "rebuild":
            # Creating the new table and dropping the old one are part of it.
            while found.pop() != "create table":
                pass
        found.append(kind)
    return found


def is_step(line: str, beginning: str) -> bool:
    """Return whether a line of SQL is the statement of ``beginning``."""
    if beginning in ("ADD COLUMN", "DROP COLUMN", "RENAME COLUMN", "RENAME TO"):
        return line.startswith("ALTER TABLE") and f" {beginning} " in line
    return line.startswith(beginning)


def write_sql(name: str, text: str) -> None:
    """Replace the ``sql`` of the case called ``name`` in its file."""
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
