"""Keys of other tools get an error that says what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import edit, generated_project, run, write_project

TABLE = """\
version: 1
tables:
  t:
    columns:
      a: text
"""


def refusal(folder: Path, schema: str) -> str:
    """Return the error of ``generate`` for a broken schema.yaml."""
    write_project(folder, schema)
    done = run(folder, "generate")
    assert done.status == 2
    return done.err


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("pk: true", "Write `primary_key: true`."),
        ("required: true", "Write `nullable: false`."),
        ("not_null: true", "Write `nullable: false`."),
        ("null: false", "Write `nullable: false`."),
        ("NULL: false", "Write `nullable: false`."),
        ("index: true", "Write `indexes: {NAME: [COLUMN]}` below the table's `columns`."),
        ("fk: t.a", "Write `references: TABLE.COLUMN`."),
        ("on_delete: cascade", "Write `references: TABLE.COLUMN`."),
        ("computed: a", "Write `generated: EXPRESSION`."),
        ("description: x", "Write `comment: TEXT`."),
        ("choices: [a]", "Write `enum: [VALUE, …]`."),
        ("default_value: 1", "Write `default: VALUE`."),
        ("collation: nocase", "Did you mean `collate`?"),
        ("auto_increment: true", "Did you mean `autoincrement`?"),
        ("1: true", 'Put it in quotes: "1".'),
    ],
)
def test_column_keys_of_other_tools(tmp_path: Path, key: str, fix: str) -> None:
    """The error says what to write instead, without a list of all keys."""
    said = refusal(tmp_path, f"{TABLE}      b: {{type: integer, {key}}}\n")
    assert "schema.yaml:6:26, tables.t.columns.b." in said
    assert said.endswith(f"{fix}\n")


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("pk: [a]", "Write `primary_key: [COLUMN]`."),
        ("fields: {a: text}", "Write `columns`."),
        ("fks: []", "Write `foreign_keys`."),
        ("triggers: {}", "Write `triggers` at the top of the file, beside `tables`."),
        ("index: {i: [a]}", "Did you mean `indexes`?"),
        (
            "foreign_keys: [{column: a, references: {table: t, on_delete: cascade}}]",
            "Write `on_delete` beside `references`.",
        ),
    ],
)
def test_table_keys_of_other_tools(tmp_path: Path, key: str, fix: str) -> None:
    """The error says what to write instead for a table, too."""
    assert refusal(tmp_path, f"{TABLE}    {key}\n").endswith(f"{fix}\n")


@pytest.mark.parametrize(
    ("section", "statement", "place"),
    [
        ("triggers", "CREATE TRIGGER other AFTER INSERT ON t BEGIN SELECT 1; END", "6:17"),
        ("views", "CREATE VIEW other AS SELECT 1", "6:14"),
        ("virtual_tables", "CREATE VIRTUAL TABLE IF NOT EXISTS other USING fts5 (a)", "6:23"),
    ],
)
def test_statements_with_another_name(tmp_path: Path, section: str, statement: str, place: str) -> None:
    """If a statement creates an object of another name than its key, the error has both names."""
    assert refusal(tmp_path, f"{TABLE}{section}: {{one: {statement}}}\n") == (
        f"Error: schema.yaml:{place}, {section}.one: the statement creates `other`, but the key is `one`. "
        "Write `other` as the key, or correct the name in the statement.\n"
    )


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("      b: {type: integer, check: nope > 1}\n", "3:3, tables.t"),
        ("    checks: [nope > 1]\n", "3:3, tables.t"),
        ("    indexes:\n      i: [{expression: nope + 1}]\n", "7:7, tables.t.indexes.i"),
        ("triggers:\n  tr: CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELEC 1; END\n", "7:7, triggers.tr"),
    ],
    ids=["check", "table check", "index", "trigger"],
)
def test_errors_of_sqlite_have_a_place(tmp_path: Path, more: str, place: str) -> None:
    """An error that only SQLite finds is reported with the line of the object."""
    assert refusal(tmp_path, TABLE + more).startswith(f"Error: schema.yaml:{place}: add ")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("a: text", "b: {type: text, renamed_from: zz}", "5:37, tables.t.columns.b.renamed_from"),
        ("a: text", "a: text\n      b: {type: text, renamed_from: a}", "6:37, tables.t.columns.b.renamed_from"),
        ("a: text", 'b: {type: text, "renamed_from": "zz"}', "5:39, tables.t.columns.b.renamed_from"),
        ("  t:", "  u:\n    renamed_from: zz", "4:19, tables.u.renamed_from"),
        ("a: text", "a: text\n      b: {type: text, backfill: nope}", "6:33, tables.t.columns.b.backfill"),
    ],
    ids=["unknown", "still declared", "in quotes", "table", "backfill"],
)
@pytest.mark.parametrize("command", ["generate", "check"])
def test_impossible_hints_have_a_place(tmp_path: Path, old: str, new: str, place: str, command: str) -> None:
    """Hints are checked against the migrations after the file was read, and still have their line."""
    generated_project(tmp_path, TABLE)
    edit(tmp_path / "schema.yaml", old, new)
    done = run(tmp_path, command)
    assert (done.status, done.err.startswith(f"Error: schema.yaml:{place}: ")) == (2, True), done.err
