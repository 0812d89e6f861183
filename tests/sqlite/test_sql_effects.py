"""The effects of hand-written SQL, as the manifest records them."""

from __future__ import annotations

import pytest

from waiaas_migrate.sqlite.planning.effects import WORST_CASE, AnnouncedHazard, Cost
from waiaas_migrate.sqlite.planning.sql_effects import effects_of_sql

ADDING = [
    ("CREATE TABLE t (a)", {"t": "constant"}),
    ('create table if not exists "main"."t u" (a)', {"t u": "constant"}),
    ("CREATE TABLE t AS SELECT * FROM u", {"t": "scan"}),
    ("CREATE INDEX i ON t (a)", {"t": "scan"}),
    ("CREATE UNIQUE INDEX IF NOT EXISTS main.i ON [t] (a)", {"t": "scan"}),
    ("CREATE VIEW v AS SELECT 1", {}),
    ("CREATE TRIGGER r AFTER UPDATE OF a ON t BEGIN DELETE FROM u; END", {"t": "constant"}),
    ("CREATE VIRTUAL TABLE f USING fts5 (a)", {"f": "constant"}),
    ("ALTER TABLE t ADD COLUMN c", {"t": "constant"}),
    ("alter table `t` add c TEXT DEFAULT 'CHECK AS NOT'", {"t": "constant"}),
    ("ALTER TABLE t ADD c TEXT NOT /* ever */ NULL DEFAULT ''", {"t": "scan"}),
    ("ALTER TABLE t RENAME TO u", {"t": "constant"}),
    ("ALTER TABLE t RENAME a TO b", {"t": "constant"}),
    ("PRAGMA user_version = 3", {}),
    ("SELECT count(*) FROM t", {"t": "scan"}),
]
WRITING = [
    "DELETE FROM t",
    "UPDATE t SET a = 1",
    'UPDATE OR IGNORE main."t" SET a = 1',
    "INSERT INTO t VALUES (1)",
    "INSERT OR REPLACE INTO t SELECT * FROM u",
    "REPLACE INTO t VALUES (1)",
    "WITH x AS (SELECT 1) DELETE FROM t",
    "WITH RECURSIVE x (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x) INSERT INTO t SELECT n FROM x",
    "DROP TABLE t",
    "drop table if exists main.t",
    "ALTER TABLE t DROP COLUMN a",
    "ALTER TABLE t DROP a",
]
COMMENTS = [
    "",
    "-- add column t.a [constant]\n",
    "/* [constant] */ ",
    "-- it's; DROP TABLE t\n",
    "-- hazard ADD_CHECK t: x\n",
]
UNCLEAR = [
    "UPDATE sqlite_master SET sql = '' WHERE name = 't'",
    "UPDATE sqlite_schema SET sql = ''",
    "PRAGMA writable_schema = ON",
    "PRAGMA foreign_keys = OFF",
    "ATTACH 'other.db' AS other",
    "DELETE FROM other.t",
    "DELETE FROM temp.t",
    "CREATE TEMP TABLE t (a)",
    "CREATE TABLE temp.t (a)",
    "DELETE FROM _yoyo_migration",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM _yoyo_log; END",
    "CREATE TABLE t AS SELECT * FROM yoyo_lock",
    "UPDATE sqlite_sequence SET seq = 0",
    "VACUUM",
    "REINDEX",
    "ANALYZE",
    "SAVEPOINT s",
    "CREATE VIRTUAL TABLE v USING csv (filename = 'x')",
    "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
    "EXPLAIN DELETE FROM t",
    "MERGE INTO t",
    "DELETE FROM t WHERE a = 'unfinished",
]


@pytest.mark.parametrize(("statement", "tables"), ADDING)
@pytest.mark.parametrize("comment", COMMENTS)
def test_sql_that_only_adds_loses_nothing(statement: str, tables: dict[str, str], comment: str) -> None:
    """Each table is listed with its cost, and existing rows do not change; CREATE TABLE … AS adds rows."""
    found = effects_of_sql([comment + statement])
    assert {name: cost.value for name, cost in found.tables or ()} == tables
    assert not found.may_lose
    assert found.may_change_rows is (statement.startswith("CREATE TABLE") and " AS SELECT " in statement)


@pytest.mark.parametrize("statement", WRITING)
@pytest.mark.parametrize("comment", COMMENTS)
def test_sql_that_writes_can_lose_rows(statement: str, comment: str) -> None:
    """SQL that writes reads the table and can lose rows, whatever the comment above it says."""
    for found in (effects_of_sql([comment + statement]), effects_of_sql(["CREATE TABLE n (a)", comment + statement])):
        assert ("t", Cost.SCAN) in (found.tables or ())
        assert found.may_lose
        assert found.may_change_rows
        assert not found.is_constant


@pytest.mark.parametrize("statement", UNCLEAR)
@pytest.mark.parametrize("comment", COMMENTS)
def test_unclear_sql_is_the_worst_case(statement: str, comment: str) -> None:
    """A single unclear statement makes the effects the worst case."""
    found = effects_of_sql(["CREATE TABLE u (a)", comment + statement, "CREATE TABLE v (a)"])
    assert found == WORST_CASE


@pytest.mark.parametrize("kind", ["INDEX", "VIEW", "TRIGGER"])
def test_dropping_an_object_can_lose_it(kind: str) -> None:
    """DROP INDEX, VIEW and TRIGGER lose something, but change no row."""
    found = effects_of_sql([f"DROP {kind} IF EXISTS it"])
    assert found.may_lose
    assert not found.may_change_rows


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE c (p REFERENCES p)", "ALTER TABLE c ADD p INTEGER REFERENCES p (id)", "ALTER TABLE p RENAME TO q"],
)
def test_new_and_changed_foreign_keys(statement: str) -> None:
    """Foreign keys can be broken, but rows do not change."""
    found = effects_of_sql([statement])
    assert found.changes_keys
    assert not found.may_change_rows


@pytest.mark.parametrize("order", ["CREATE TABLE n (a); DROP TABLE t", "DROP TABLE t; CREATE TABLE n (a)"])
def test_a_table_replaced_by_another_is_rebuilt(order: str) -> None:
    """A table that is replaced by another counts as rebuilt; SQLite's documentation has both orders."""
    statements = [*order.split("; "), "ALTER TABLE n RENAME TO t", "CREATE INDEX i ON t (a)"]
    found = effects_of_sql(statements)
    assert found.tables == (("t", Cost.REBUILD),)


def test_a_renamed_table_is_listed_by_its_old_name() -> None:
    """A renamed table is listed by its name before the run."""
    found = effects_of_sql(["ALTER TABLE t RENAME TO u", "DELETE FROM u", "ALTER TABLE u RENAME TO v", "DROP TABLE v"])
    assert found.tables == (("t", Cost.SCAN),)


def test_hazards_are_announced_above_the_first_statement() -> None:
    """A comment anywhere else announces nothing."""
    said = "-- hazard FOREIGN_KEY_MISMATCH a b: its foreign key\n/* -- hazard DROP_TABLE u: no */\n"
    found = effects_of_sql([f"{said}CREATE TABLE t (a)", "-- hazard DROP_TABLE t: too late\nCREATE TABLE v (a)"])
    assert found.hazards == (AnnouncedHazard(code="FOREIGN_KEY_MISMATCH", where="a b"),)
    assert found.unenforceable == ("a b",)
    assert effects_of_sql([f"{said}VACUUM"]).hazards == found.hazards
