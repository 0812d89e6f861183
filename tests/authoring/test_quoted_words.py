"""Words in double quotes: an error in schema.yaml if they name nothing, and strings in existing databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import run_yoyo
from tests.support.projects import run
from tests.support.transitions import apply_with_runner, apply_with_yoyo, rows_of, run_script

Apply = Callable[[Path, Path], None]
BOTH = pytest.mark.parametrize("apply", [apply_with_runner, apply_with_yoyo], ids=["runner", "yoyo"])

#: A table, and a column that tests drop or rename.
TABLE = """\
version: 1
tables:
  people:
    columns:
      id: {type: integer, primary_key: true}
      email: text
"""
FLAG = '      "is main": {type: integer, nullable: false, default: 0}\n'
RENAMED = '      main: {type: integer, nullable: false, default: 0, renamed_from: "is main"}\n'
ROWS = """INSERT INTO people (id, email, "is main") VALUES (1, 'a@x', 1), (2, 'b@x', 0)"""

#: Each place for an expression: the YAML after the columns, and its key path.
PLACES = {
    "column check": ("      low: {type: text, check: '\"is main\" < 9'}\n", "tables.people.columns.low.check"),
    "named column check": (
        "      low: {type: text, check: {check: '\"is main\" < 9', name: small}}\n",
        "tables.people.columns.low.check.check",
    ),
    "table check": ("    checks: ['\"is main\" < 9']\n", "tables.people.checks[0]"),
    "named table check": ("    checks: {small: '\"is main\" < 9'}\n", "tables.people.checks.small"),
    "virtual column": ("      g: {type: integer, generated: '\"is main\" * 2'}\n", "tables.people.columns.g.generated"),
    "stored column": (
        "      g: {type: integer, generated: {expression: '\"is main\" * 2', stored: true}}\n",
        "tables.people.columns.g.generated.expression",
    ),
    "partial index": (
        "    indexes: {i: {columns: [email], unique: true, where: '\"is main\" = 1'}}\n",
        "tables.people.indexes.i.where",
    ),
    "expression index": (
        "    indexes: {i: [{expression: '\"is main\" + id'}]}\n",
        "tables.people.indexes.i[0].expression",
    ),
    "view": ("views: {v: 'SELECT id, \"is main\" AS m FROM people AS p'}\n", "views.v"),
    "whole view": ("views: {v: 'CREATE VIEW v (a) AS SELECT max(\"is main\") FROM people'}\n", "views.v"),
    "trigger's WHEN": (
        "triggers: {t: 'CREATE TRIGGER t BEFORE DELETE ON people WHEN (SELECT max(\"is main\") FROM people) = 1 BEGIN SELECT 1; END'}\n",
        "triggers.t",
    ),
    "trigger's body": (
        "triggers: {t: 'CREATE TRIGGER t AFTER INSERT ON people BEGIN DELETE FROM people WHERE \"is main\" = 2; END'}\n",
        "triggers.t",
    ),
}
EACH_PLACE = pytest.mark.parametrize("place", PLACES)
#: An index on nothing but a word.
ALONE = (
    "    indexes: {i: [id, {expression: '\"is main\" collate nocase', order: desc}]}\n",
    "tables.people.indexes.i[1].expression",
)


def write(folder: Path, text: str) -> None:
    """Write schema.yaml."""
    (folder / "schema.yaml").write_text(text, encoding="utf-8")


def refused(folder: Path, *what: str) -> None:
    """Check that ``generate``, ``check`` and ``diff`` fail with each of ``what``, and write nothing."""
    before = sorted((folder / "migrations").glob("*"))
    for arguments in (
        ("generate", "-m", "next", "--allow", "all"),
        ("check",),
        ("diff", "migrations", "schema.yaml"),
    ):
        said = run(folder, *arguments)
        assert said.status == 2, (arguments, said)
        for part in what:
            assert part in said.err
    assert sorted((folder / "migrations").glob("*")) == before


def made(folder: Path, schema: str, rows: str = "") -> Path:
    """Make a project with ``schema``, and a database with ``rows``."""
    write(folder, schema)
    assert run(folder, "generate").status == 0
    database = folder / "a.db"
    apply_with_runner(folder, database)
    run_script(database, rows)
    return database


@pytest.mark.parametrize("place", [*PLACES, "index on a word"])
def test_a_word_that_names_nothing_is_an_error(tmp_path: Path, place: str) -> None:
    """A misspelled column in double quotes is an error with its line, its key path, and a fix."""
    tail, path = PLACES.get(place, ALONE)
    made(tmp_path, TABLE + FLAG)
    write(tmp_path, TABLE + FLAG + tail.replace("is main", "emial"))
    refused(tmp_path, f"schema.yaml:{len((TABLE + FLAG).splitlines()) + 1}:", path, "'emial'", "Did you mean `email`?")


@EACH_PLACE
@pytest.mark.parametrize("after", ["dropped", "renamed"])
def test_a_dropped_or_renamed_column_does_not_become_a_string(tmp_path: Path, place: str, after: str) -> None:
    """An expression that still names the column is an error, and the rows do not change."""
    tail, path = PLACES[place]
    database = made(tmp_path, TABLE + FLAG + tail, ROWS)
    write(tmp_path, TABLE + (RENAMED if after == "renamed" else "") + tail)
    refused(tmp_path, path, '"is main" in double quotes names nothing', "`main`" if after == "renamed" else "'is main'")
    assert rows_of(database, "people", ["is main"]) == [{"is main": 1}, {"is main": 0}]


@EACH_PLACE
@BOTH
def test_a_column_in_double_quotes_is_a_column(tmp_path: Path, place: str, apply: Apply) -> None:
    """A word that names a column is accepted, and the column can be renamed everywhere."""
    tail, _ = PLACES[place]
    database = made(tmp_path, TABLE + FLAG + tail, ROWS)
    write(tmp_path, TABLE + RENAMED + tail.replace("is main", "main"))
    assert run(tmp_path, "generate", "-m", "next").status == 0
    apply(tmp_path, database)
    assert rows_of(database, "people", ["main"]) == [{"main": 1}, {"main": 0}]
    assert run(tmp_path, "drift", "a.db").status == 0


@pytest.mark.parametrize(
    "word", ['"emial"', 'lower("emial")', '"EMAIL" || "x"', '(SELECT max("emial") FROM people)'], ids=str
)
def test_a_backfill_with_an_unknown_word_is_an_error(tmp_path: Path, word: str) -> None:
    """A backfill with an unknown word in double quotes is an error: SQLite would write the word into every row."""
    database = made(tmp_path, TABLE + FLAG, ROWS)
    write(tmp_path, TABLE + FLAG + f"      low: {{type: text, nullable: false, backfill: '{word}'}}\n")
    refused(tmp_path, "tables.people.columns.low.backfill", "schema.yaml:8:", "no such column")
    assert rows_of(database, "people", ["id"]) == [{"id": 1}, {"id": 2}]


@BOTH
def test_a_backfill_of_quoted_names(tmp_path: Path, apply: Apply) -> None:
    """Existing names may be in double quotes, also with their table or an alias."""
    database = made(tmp_path, TABLE + FLAG, ROWS)
    value = '"email" || "people"."is main" || (SELECT "n" FROM (SELECT count("p"."id") AS "n" FROM "people" AS "p"))'
    write(tmp_path, TABLE + FLAG + f"      low: {{type: text, nullable: false, backfill: '{value}'}}\n")
    assert run(tmp_path, "generate", "-m", "low").status == 0
    apply(tmp_path, database)
    assert rows_of(database, "people", ["low"]) == [{"low": "a@x12"}, {"low": "b@x02"}]


@pytest.mark.parametrize("word", ["x", "email"])
def test_a_default_does_not_name_a_column(tmp_path: Path, word: str) -> None:
    """A word in double quotes is a string in a DEFAULT, even if a column has that name."""
    made(tmp_path, TABLE)
    write(tmp_path, TABLE + f"      low: {{type: text, default_sql: '(lower(\"{word}\"))'}}\n")
    refused(tmp_path, "schema.yaml:7:", "tables.people.columns.low.default_sql", f"'{word}' in single quotes")


def test_a_default_of_one_word_is_a_string(tmp_path: Path) -> None:
    """A DEFAULT that is only a word in double quotes is accepted, because it can't be anything but a string."""
    database = made(tmp_path, TABLE, "")
    write(tmp_path, TABLE + "      low: {type: text, default_sql: '\"email\"'}\n")
    assert run(tmp_path, "generate", "-m", "low").status == 0
    apply_with_runner(tmp_path, database)
    run_script(database, "INSERT INTO people (email) VALUES ('c@x')")
    assert rows_of(database, "people", ["low"]) == [{"low": "email"}]


@pytest.mark.parametrize("rowid", [True, False])
def test_the_rowid_is_a_name(tmp_path: Path, *, rowid: bool) -> None:
    """The word "rowid" names the rowid, but is a string in a table WITHOUT ROWID."""
    made(tmp_path, TABLE)
    option = "" if rowid else "    without_rowid: true\n"
    write(tmp_path, TABLE + "    checks: ['\"rowid\" <> 7']\n" + option)
    said = run(tmp_path, "generate", "-m", "next", "--allow", "all")
    assert said.status == (0 if rowid else 2), said


def test_other_quotes_and_scopes_are_names(tmp_path: Path) -> None:
    """Aliases, qualified names, excluded, new and old are names; brackets and backticks never make strings."""
    view = 'WITH "c" AS (SELECT "id" AS "k" FROM "people") SELECT "c"."k" AS "z" FROM "c" JOIN "people" AS "p" ON "k" = "p"."id" GROUP BY "z" ORDER BY "z"'
    trigger = 'CREATE TRIGGER "t" AFTER UPDATE OF "email" ON "people" WHEN "new"."id" > "old"."id" BEGIN INSERT INTO "people" ("id") VALUES ("new"."id") ON CONFLICT ("id") DO UPDATE SET "email" = "excluded"."email"; END'
    rest = f"    checks: ['\"people\".\"id\" > 0 AND [id] < 99 AND `id` < 99']\nviews: {{v: '{view}'}}\ntriggers: {{t: '{trigger}'}}\n"
    made(tmp_path, TABLE + rest)
    assert run(tmp_path, "check").status == 0
    write(tmp_path, TABLE + "    checks: ['[emial] > 0']\n")
    assert "no such column: emial" in run(tmp_path, "generate", "-m", "next", "--allow", "all").err


#: SQL as object-relational mappers write it: all names in double quotes, and strings too.
ORM = """
CREATE TABLE "app_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL DEFAULT "No one",
  "status" TEXT NOT NULL DEFAULT "new" CHECK ("status" IN ("new","old","It's")), "code" TEXT AS ("status" || "-x") STORED);
CREATE TABLE "app_job" ("id" integer PRIMARY KEY, "user_id" integer NOT NULL REFERENCES "app_user" ("id") DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT "kind" CHECK ("user_id" <> "none"));
CREATE UNIQUE INDEX "app_user_name" ON "app_user" ("name") WHERE "status" <> "old";
CREATE INDEX "app_user_gone" ON "app_user" ("gone", "name" || "suffix") WHERE "primary" = 1;
CREATE VIEW "active" AS SELECT "id", "kind" AS "name", "status" FROM "app_user" WHERE "status" = "new" ORDER BY "nothing";
CREATE TRIGGER "tr" AFTER INSERT ON "app_user" WHEN "new"."status" = "odd" BEGIN UPDATE "app_user" SET "name" = "Odd" WHERE "id" = "new"."id"; END;
INSERT INTO "app_user" ("name", "status") VALUES ('ann', 'new'), ('bob', 'old'), ('bob', 'old');
"""


def test_a_database_with_strings_in_double_quotes_is_adopted(tmp_path: Path) -> None:
    """``inspect`` writes the strings in single quotes, and the migrations do not differ from the database."""
    database = tmp_path / "orm.db"
    run_script(database, ORM)
    assert run(tmp_path, "inspect", "orm.db", "-o", "schema.yaml").status == 0
    text = (tmp_path / "schema.yaml").read_text(encoding="utf-8")
    for part in ("enum: [new, old, It's]", "primary'' = 1", "'nothing'", "'odd'", "'kind'", "'Odd'"):
        assert part in text, (part, text)
    assert run(tmp_path, "generate", "-m", "first").status == 0
    assert run(tmp_path, "diff", "orm.db", "migrations").status == 0
    run_yoyo("mark", database, tmp_path / "migrations")
    assert run(tmp_path, "drift", "orm.db").status == 0
    apply_with_runner(tmp_path, tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        connection.execute("INSERT INTO app_user DEFAULT VALUES")
        row = connection.execute("SELECT name, status, code FROM app_user").fetchone()
    assert row == ("No one", "new", "new-x")
    assert run(tmp_path, "drift", "new.db").status == 0


BY_HAND = """-- depends: 0001_initial
CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT DEFAULT "open" CHECK (state <> "kind"));
CREATE INDEX by_state ON orders (state) WHERE "flag" <> state;
INSERT INTO orders (state) VALUES ('open');
"""
ORDERS = """\
  orders:
    columns:
      id: {type: integer, primary_key: true}
      state: {type: text, default: open, check: state <> 'kind'}
"""
BY_STATE = "    indexes: {by_state: {columns: [state], where: \"'flag' <> state\"}}\n"


@BOTH
@pytest.mark.parametrize("name", ["kind", "flag", "other"])
def test_a_new_column_does_not_capture_a_string(tmp_path: Path, apply: Apply, name: str) -> None:
    """A string in double quotes in a hand-written migration stays one if a new column has that name."""
    database = made(tmp_path, TABLE)
    (tmp_path / "migrations" / "0002_orders.sql").write_text(BY_HAND, encoding="utf-8")
    write(tmp_path, TABLE + ORDERS + BY_STATE)
    assert run(tmp_path, "generate").out.startswith(("Nothing to generate", "No migration is needed"))
    apply(tmp_path, database)
    write(tmp_path, TABLE + ORDERS + f"      {name}: text\n" + BY_STATE)
    said = run(tmp_path, "generate", "-m", "next")
    assert said.status == 0, said
    apply(tmp_path, database)
    run_script(database, f"INSERT INTO orders (state, {name}) VALUES ('same', 'same')")
    assert rows_of(database, "orders", ["state"]) == [{"state": "open"}, {"state": "same"}]
    with pytest.raises(sqlite3.IntegrityError):
        run_script(database, "INSERT INTO orders (state) VALUES ('kind')")
    assert run(tmp_path, "drift", "a.db").status == 0


@BOTH
def test_an_index_on_a_string_does_not_stop_a_drop(tmp_path: Path, apply: Apply) -> None:
    """DROP COLUMN fails if the table has such an index, so the table is rebuilt."""
    database = made(tmp_path, TABLE + FLAG, ROWS)
    by_hand = '-- depends: 0001_initial\nCREATE INDEX odd ON people ("nothing", email);\n'
    (tmp_path / "migrations" / "0002_odd.sql").write_text(by_hand, encoding="utf-8")
    index = "    indexes: {odd: [{expression: '''nothing'' || '''''''}, email]}\n".replace("'''''''", "'''''")
    write(tmp_path, TABLE + FLAG + index)
    assert run(tmp_path, "generate").out.startswith(("Nothing to generate", "No migration is needed"))
    apply(tmp_path, database)
    write(tmp_path, TABLE + index)
    assert run(tmp_path, "generate", "-m", "next", "--allow", "all").status == 0
    apply(tmp_path, database)
    assert rows_of(database, "people", ["email"]) == [{"email": "a@x"}, {"email": "b@x"}]
    assert run(tmp_path, "drift", "a.db").status == 0


VIEWS_BY_HAND = """-- depends: 0001_initial
CREATE VIEW v AS SELECT "later" AS x, email FROM people;
CREATE TRIGGER t AFTER INSERT ON people WHEN "later" = 'x' BEGIN SELECT RAISE(ABORT, 'a column'); END;
"""
VIEWS = """\
views: {v: "SELECT 'later' AS x, email FROM people"}
triggers: {t: "CREATE TRIGGER t AFTER INSERT ON people WHEN 'later' = 'x' BEGIN SELECT RAISE(ABORT, 'a column'); END"}
"""


@BOTH
def test_a_new_column_does_not_capture_a_string_of_views(tmp_path: Path, apply: Apply) -> None:
    """Views and triggers with such a string are created again with single quotes."""
    database = made(tmp_path, TABLE + FLAG, ROWS)
    (tmp_path / "migrations" / "0002_views.sql").write_text(VIEWS_BY_HAND, encoding="utf-8")
    write(tmp_path, TABLE + FLAG + VIEWS)
    assert run(tmp_path, "generate").out.startswith(("Nothing to generate", "No migration is needed"))
    apply(tmp_path, database)
    write(tmp_path, TABLE + FLAG + "      later: text\n" + VIEWS)
    assert run(tmp_path, "generate", "-m", "next").status == 0
    apply(tmp_path, database)
    run_script(database, "INSERT INTO people (later) VALUES ('x')")
    assert rows_of(database, "v", ["x"]) == [{"x": "later"}] * 3
    assert run(tmp_path, "drift", "a.db").status == 0


def test_an_index_on_a_string_stops_a_rename(tmp_path: Path) -> None:
    """RENAME COLUMN fails if the table has such an index, and the error names it."""
    made(tmp_path, TABLE + FLAG, ROWS)
    by_hand = '-- depends: 0001_initial\nCREATE INDEX odd ON people ("nothing");\n'
    (tmp_path / "migrations" / "0002_odd.sql").write_text(by_hand, encoding="utf-8")
    write(tmp_path, TABLE + RENAMED)
    refused(tmp_path, "index odd", "Drop the index in a separate migration first.")
