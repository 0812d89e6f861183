"""Hazards: each change that endangers data is reported; one that destroys data is refused unless allowed by name."""

from __future__ import annotations

import copy
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import run
from tests.support.transitions import apply_with_runner, apply_with_yoyo, generate, run_script, schema_of, write_schema
from waiaas_migrate.errors import ApplyError, UsageError
from waiaas_migrate.schema.hazards.allowed import allowed_codes
from waiaas_migrate.schema.hazards.hazard import STOPPING, Code

Body = dict[str, Any]

OLD: Body = {
    "tables": {
        "people": {
            "columns": {
                "id": {"type": "integer", "primary_key": True},
                "name": "text",
                "kind": {"type": "text", "nullable": False, "enum": ["a", "b"]},
                "boss": "integer",
                "gone": "text",
            }
        },
        "papers": {"columns": {"id": {"type": "integer", "primary_key": True}, "text": "text"}},
    },
    "virtual_tables": {"found": "CREATE VIRTUAL TABLE found USING fts5 (text)"},
}


def changed(*path: str, to: object = None, gone: bool = False) -> Body:
    """Return OLD with one thing changed or removed."""
    body = copy.deepcopy(OLD)
    place: Any = body
    for key in path[:-1]:
        place = place[key]
    if gone:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return body


def column(name: str, to: object) -> Body:
    """Return OLD with one column of people added or declared differently."""
    return changed("tables", "people", "columns", name, to=to)


CASES = {
    Code.DROP_TABLE: changed("tables", "papers", gone=True),
    Code.DROP_COLUMN: changed("tables", "people", "columns", "gone", gone=True),
    Code.DROP_VIRTUAL_TABLE: changed("virtual_tables", gone=True),
    Code.REMOVE_ENUM_VALUE: column("kind", {"type": "text", "nullable": False, "enum": ["a"]}),
    Code.NARROW_TYPE: column("name", "integer"),
    Code.DROP_ROWID: changed("tables", "papers", "without_rowid", to=True),
    Code.ADD_NOT_NULL: column("name", {"type": "text", "nullable": False}),
    Code.ADD_UNIQUE: column("name", {"type": "text", "unique": True}),
    Code.ADD_CHECK: column("name", {"type": "text", "check": "name <> ''"}),
    Code.ADD_FOREIGN_KEY: column("boss", {"type": "integer", "references": "people.id"}),
    Code.ADD_STRICT: changed("tables", "papers", "strict", to=True),
    Code.CHANGE_PRIMARY_KEY: changed("tables", "people", "primary_key", to=["name"]),
    Code.CHANGE_COLLATION: column("kind", {"type": "text", "nullable": False, "enum": ["a", "b"], "collate": "nocase"}),
}
CASES[Code.FOREIGN_KEY_MISMATCH] = column(
    "boss", {"type": "integer", "references": {"table": "people", "column": "name", "external": True}}
)
CASES[Code.SWAP_NAMES] = column("name", {"type": "text", "renamed_from": "gone"})
CASES[Code.SWAP_NAMES]["tables"]["people"]["columns"]["gone"] = {"type": "text", "renamed_from": "name"}
CASES[Code.BREAK_OBJECT] = changed("views", to={"seen": "SELECT nope FROM people"})
CASES[Code.UNKNOWN_FUNCTION] = column("more", {"type": "text", "default_sql": "(strftim('now'))"})
CASES[Code.UNKNOWN_COLLATION] = changed(
    "tables", "people", "indexes", to={"i": [{"column": "name", "collate": "nocse"}]}
)
CASES[Code.CHANGE_PRIMARY_KEY]["tables"]["people"]["columns"]["id"] = "integer"
CASES[Code.STALE_VALUE] = column(
    "kind", {"type": "text", "nullable": False, "enum": ["a", "c"], "enum_values": {"renamed": {"b": "c"}}}
)
CASES[Code.STALE_VALUE]["views"] = {"those": "SELECT id FROM people WHERE kind = 'b'"}


def test_every_hazard_has_a_case() -> None:
    """Every code has a change that shows it."""
    missing = set(Code) - set(CASES)
    assert not missing, f"add to CASES a change that shows each of {missing}"


@pytest.mark.parametrize("code", list(Code))
def test_a_hazard_is_reported_and_in_the_file(tmp_path: Path, code: Code) -> None:
    """Each hazard is reported and stands in the migration's head; some stop generate until they are allowed."""
    write_schema(tmp_path, OLD)
    generate(tmp_path)
    write_schema(tmp_path, CASES[code])
    refused = generate(tmp_path, allow=())
    assert code in {hazard.code for hazard in refused.hazards}
    assert {hazard.code for hazard in refused.refused} == {code} & STOPPING
    assert (refused.written == ()) is (code in STOPPING)
    written = refused if refused.written else generate(tmp_path, allow=[code])
    assert written.migration is not None
    assert f"\n-- hazard {code} " in (tmp_path / "migrations" / f"{written.migration}.sql").read_text()


def test_a_backfill_does_not_convert_values(tmp_path: Path) -> None:
    """The hazard of another type says that a backfill only fills rows without a value."""
    write_schema(tmp_path, OLD)
    generate(tmp_path)
    write_schema(tmp_path, column("name", {"type": "integer", "backfill": "CAST(name AS INTEGER)"}))
    (hazard,) = generate(tmp_path, allow=()).hazards
    assert (hazard.code, "The `backfill` only fills rows without a value" in hazard.fix) == (Code.NARROW_TYPE, True)


@pytest.mark.parametrize(
    ("name", "also", "word"),
    [
        ({"unique": True}, {}, "unique"),
        ({}, {"primary_key": ["name"]}, "unique"),
        ({}, {"indexes": {"i": {"columns": ["name"], "unique": True}}}, "unique"),
        ({}, {"indexes": {"i": {"columns": ["names"], "unique": True, "where": "Name = 'x'"}}}, "unique"),
        ({}, {"indexes": {"i": {"columns": [{"expression": "name > 'x'"}], "unique": True}}}, "unique"),
        ({}, {"indexes": {"i": {"columns": ["names"], "where": "name = 'x'"}}}, None),
        ({}, {"checks": ["Name <> 'x'"]}, "CHECK"),
        ({}, {"checks": ["names <> 'x'"]}, None),
        ({}, {"indexes": {"i": ["name"]}}, None),
        ({}, {"unique": [[{"column": "name", "collate": "rtrim"}]]}, None),
        ({"unique": True}, {"child": {"table": "t", "column": "name"}}, "fails if a row of child has no parent"),
    ],
    ids=[
        *("unique", "key", "index", "partial index", "expression", "plain partial index"),
        *("check", "other check", "plain index", "own collation", "parent"),
    ],
)
def test_another_collation(tmp_path: Path, name: Body, also: Body, word: str | None) -> None:
    """Another collation is a hazard only if something compares the column's values."""

    def body(**collation: str) -> Body:
        columns = {"name": {"type": "text", **name, **collation}, "names": "text"}
        table = {"columns": columns, **{key: value for key, value in also.items() if key != "child"}}
        child = {"child": {"columns": {"of": {"type": "text", "references": also["child"]}}}} if "child" in also else {}
        return {"tables": {"t": table, **child}}

    write_schema(tmp_path, body())
    generate(tmp_path)
    write_schema(tmp_path, body(collate="nocase"))
    told = [hazard.what for hazard in generate(tmp_path).hazards]
    assert all(word is not None and word in what for what in told)
    assert len(told) == (word is not None)


@pytest.mark.parametrize(
    "body",
    [
        column("more", "text"),
        column("more", {"type": "text", "nullable": False, "default": ""}),
        column("more", {"type": "text", "nullable": False, "backfill": "name"}),
        column("name", {"type": "text", "nullable": False, "backfill": "''"}),
        column("kind", {"type": "text", "nullable": False, "enum": ["a", "b", "c"]}),
        column("kind", {"type": "text", "nullable": False, "enum": ["a", "c"], "enum_values": {"renamed": {"b": "c"}}}),
        column("more", {"type": "text", "enum": ["a", "b"]}),
        column("more", {"type": "text", "nullable": False, "enum": ["a", "b"], "default": "a"}),
        column("more", {"type": "text", "nullable": False, "enum": ["a", "b"], "backfill": "lower('A')"}),
        column("more", {"type": "boolean", "nullable": False, "default": False}),
        column("more", {"type": "text", "default_sql": "CURRENT_TIMESTAMP", "check": "length(more) > 9"}),
        column("more", {"type": "text", "check": "more = 'x'", "backfill": "'X'", "collate": "nocase"}),
        changed("tables", "papers", "indexes", to={"by_text": ["text"]}),
        column("name", {"type": "text", "collate": "nocase"}),
    ],
    ids=[
        *("column", "default", "backfill", "backfilled not null", "wider enum", "renamed value", "list"),
        *("list default", "list backfill", "boolean", "time", "nocase", "index", "collation"),
    ],
)
def test_safe_changes_have_no_hazard(tmp_path: Path, body: Body) -> None:
    """A change that loses nothing and that no row can refuse has no hazard."""
    write_schema(tmp_path, OLD)
    generate(tmp_path)
    write_schema(tmp_path, body)
    result = generate(tmp_path, allow=())
    assert result.hazards == ()
    assert result.migration is not None


BROKEN_BY_NEW_VALUES = {
    "reads another column": {"type": "integer", "check": "more < boss"},
    "reads another column, with a default": {"type": "integer", "default": 5, "check": "more < boss"},
    "backfill not in the list": {"type": "text", "enum": ["x", "y"], "backfill": "'z'"},
    "backfill from a column": {"type": "text", "enum": ["x", "y"], "backfill": "name"},
    "backfill of another case": {"type": "text", "nullable": False, "enum": ["x"], "backfill": "'X'"},
    "backfill from a query": {"type": "integer", "check": "more > 9", "backfill": "(SELECT 1)"},
    "default": {"type": "integer", "default": 0, "check": "more > 0"},
    "expression": {"type": "integer", "default_sql": "(1 - 1)", "check": "more > 0"},
    "NULL": {"type": "integer", "check": "more IS NOT NULL"},
    "word in double quotes": {"type": "text", "check": '"more" <> "name"', "backfill": "'n'"},
    "boolean": {"type": "boolean", "nullable": False, "backfill": "2"},
    "generated": {"type": "text", "enum": ["x"], "generated": "name"},
}


@pytest.mark.parametrize("catalog_edits", [True, False])
@pytest.mark.parametrize("declared", BROKEN_BY_NEW_VALUES.values(), ids=BROKEN_BY_NEW_VALUES)
def test_new_values_that_break_a_check(tmp_path: Path, declared: Body, *, catalog_edits: bool) -> None:
    """A new column's CHECK is a hazard if its values may break it; then both runner and yoyo refuse such rows."""
    project = tmp_path / "project"
    write_schema(project, OLD, catalog_edits=catalog_edits)
    generate(project)
    for name in ("runner.db", "yoyo.db"):
        apply_with_yoyo(project, tmp_path / name)
        run_script(tmp_path / name, "INSERT INTO people (id, name, kind, boss) VALUES (1, 'n', 'a', 3)")
    write_schema(project, column("more", declared), catalog_edits=catalog_edits)
    assert [hazard.code for hazard in generate(project, allow=()).hazards] == [Code.ADD_CHECK]
    if declared.get("check") == "more < boss" and "default" not in declared:
        return  # that NULL passes does not depend on the other column's value, but is not looked into
    before = schema_of(tmp_path / "yoyo.db")
    with pytest.raises(ApplyError):
        apply_with_runner(project, tmp_path / "runner.db")
    with pytest.raises(sqlite3.Error):
        apply_with_yoyo(project, tmp_path / "yoyo.db")
    assert schema_of(tmp_path / "runner.db") == schema_of(tmp_path / "yoyo.db") == before


@pytest.mark.parametrize(
    "kind",
    [
        {"enum": ["a", "b"], "backfill": "'c'"},
        {"enum": ["a", "b"], "backfill": "name"},
        {"enum": ["a", "b", "d"], "backfill": "'c'"},
        {"check": "kind <> name", "backfill": "'c'"},
    ],
    ids=["list", "column", "longer list", "another column"],
)
def test_a_backfill_that_breaks_an_old_check(tmp_path: Path, kind: Body) -> None:
    """A column that becomes NOT NULL may get values by its backfill that break an existing CHECK."""
    rule = {"enum": ["a", "b"]} if "enum" in kind else {"check": kind["check"]}
    write_schema(tmp_path, column("kind", {"type": "text", **rule}))
    generate(tmp_path)
    write_schema(tmp_path, column("kind", {"type": "text", "nullable": False, **kind}))
    assert [(h.code, h.where) for h in generate(tmp_path, allow=()).hazards] == [(Code.ADD_CHECK, "people.kind")]


def test_a_drop_that_may_be_a_rename(tmp_path: Path) -> None:
    """If a similar table or column is new, the refusal names the hint to write and the flag to give."""
    write_schema(tmp_path, OLD)
    generate(tmp_path)
    body = changed("tables", "papers", gone=True)
    body["tables"]["documents"] = OLD["tables"]["papers"]
    columns = body["tables"]["people"]["columns"]
    columns["label"] = columns.pop("gone")
    write_schema(tmp_path, body)
    said = run(tmp_path, "generate")
    assert said.status == 1
    assert (
        "DROP_TABLE papers: deletes every row of papers.\n  If it was renamed, write `renamed_from: papers` under table "
        "documents. To do it anyway, run with --allow DROP_TABLE.\n"
    ) in said.out
    assert (
        "DROP_COLUMN people.gone: deletes every value of people.gone.\n  If it was renamed, write `renamed_from: gone` "
        "under column label. To do it anyway, run with --allow DROP_COLUMN.\n"
    ) in said.out
    assert said.err == "Nothing was written: --allow is needed for 2 hazards.\n"
    assert run(tmp_path, "generate", "--allow", "drop_table").status == 1
    allowed = run(tmp_path, "generate", "--allow", "drop_table", "--allow", "DROP_COLUMN")
    assert allowed.status == 0
    assert "DROP_TABLE papers: deletes every row of papers. Allowed.\n" in allowed.out


def test_allow_takes_codes_and_all() -> None:
    """Codes are accepted in any case; an unknown name gets a suggestion, or the list."""
    assert allowed_codes(["drop_table", "DROP_COLUMN"]) == {Code.DROP_TABLE, Code.DROP_COLUMN}
    assert allowed_codes(["ALL"]) == set(Code)
    assert allowed_codes([]) == set()
    with pytest.raises(UsageError, match=r"--allow DROP_TABEL: unknown hazard\. Did you mean DROP_TABLE\?"):
        allowed_codes(["DROP_TABEL"])
    with pytest.raises(UsageError, match=r"Use one of DROP_TABLE, .*, or all\."):
        allowed_codes(["xyz"])
