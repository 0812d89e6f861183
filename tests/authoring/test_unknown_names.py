"""A function or collation that SQLite does not have is a hazard, with its place in schema.yaml."""

from __future__ import annotations

import json
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

FUNCTION, COLLATION = "UNKNOWN_FUNCTION", "UNKNOWN_COLLATION"

#: YAML to add to the table, and the hazard: its code, its place and owner, and the unknown name.
UNKNOWN = {
    "check": ("      b: {type: text, check: lenght(b) > 2}\n", FUNCTION, "6:30, t.b", "lenght"),
    "table check": ("    checks:\n      - a > lenght(a)\n", FUNCTION, "7:9, t", "lenght"),
    "named check": ("    checks:\n      c: LENGHT (a) > 1\n", FUNCTION, "7:10, t", "lenght"),
    "collation": ("      b: {type: text, collate: NOCSE}\n", COLLATION, "6:32, t.b", "NOCSE"),
    "collate in a check": ("    checks: ['a COLLATE nocse = 1']\n", COLLATION, "6:14, t", "nocse"),
    "collation of a key": ("    unique: [[{column: a, collate: nocse}]]\n", COLLATION, "6:36, t", "nocse"),
    "default": ("      b: {type: text, default_sql: (strftim(1))}\n", FUNCTION, "6:36, t.b", "strftim"),
    "generated": ("      b: {type: text, generated: lowr(a)}\n", FUNCTION, "6:34, t.b", "lowr"),
    "backfill": ("      b: {type: text, nullable: false, backfill: lowr(a)}\n", FUNCTION, "6:50, t.b", "lowr"),
    "index": ("    indexes: {i: [{expression: lowr(a)}]}\n", FUNCTION, "6:32, i", "lowr"),
    "partial index": ("    indexes: {i: {columns: [a], where: lowr(a) > 1}}\n", FUNCTION, "6:40, i", "lowr"),
    "regexp": ("      b: {type: text, check: \"b REGEXP 'x'\"}\n", FUNCTION, "6:30, t.b", "REGEXP"),
    "view": ("views:\n  v: SELECT lowr(a) AS l FROM t\n", FUNCTION, "7:6, v", "lowr"),
    "view that sorts": ("views:\n  v: SELECT a FROM t ORDER BY a COLLATE nocse\n", COLLATION, "7:6, v", "nocse"),
    "trigger": (
        "triggers:\n  tr: CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = lowr(a); END\n",
        FUNCTION,
        "7:7, tr",
        "lowr",
    ),
}


@pytest.mark.parametrize(("more", "code", "place", "name"), UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("is_new", [True, False])
def test_unknown_names_are_hazards(
    tmp_path: Path, more: str, code: str, place: str, name: str, *, is_new: bool
) -> None:
    """Each unknown name is reported once, with its place in schema.yaml, and in the migration."""
    if is_new and "backfill" in more:
        return  # A new table has no rows for a backfill.
    project = write_project(tmp_path, TABLE) if is_new else generated_project(tmp_path, TABLE)
    (project / "schema.yaml").write_text(TABLE + more)
    done = run(project, "generate")
    (line,) = [line for line in done.out.splitlines() if line.startswith("UNKNOWN_")]
    assert (done.status, line.startswith(f"{code} schema.yaml:{place}: SQLite does not have this ")) == (0, True)
    assert line.partition(": no such ")[2].partition(".")[0].endswith(f": {name.lower()}") or name in line
    head = sorted((project / "migrations").glob("*[0-9a-z].sql"))
    assert f"-- hazard {code} {place.partition(', ')[2]}: " in "".join(path.read_text() for path in head)
    edit(project / "schema.yaml", "a: text\n", "a: text\n      z: text\n")
    assert "UNKNOWN_" not in run(project, "generate").out


def test_known_names_are_not_hazards(tmp_path: Path) -> None:
    """SQLite's own functions in any case, and words that only look like calls, are not reported."""
    more = """\
      b: {type: text, collate: NoCase, check: "LENGTH(b) > 2 AND a NOT IN ('lowr(1)')", comment: lowr(a)}
      c: {type: VARCHAR(10), default_sql: "(strftime('%s', 'now'))"}
      d: {type: text, generated: "CAST(a AS nosuch(3)) || iif(a, 1, 2) || coalesce(a, 1) || (a ->> '$')"}
    indexes: {i: [{expression: "a COLLATE rtrim"}]}
views:
  v: >-
    WITH x(y) AS (VALUES (1)) SELECT count(*), max(y), row_number() OVER w, json_extract(j.value, '$')
    FROM x, json_each('[]') j WINDOW w AS (ORDER BY y)
triggers:
  tr: CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO t (a) SELECT raise(ABORT, 'no'); END
"""
    done = run(write_project(tmp_path, TABLE + more), "generate")
    assert (done.status, "UNKNOWN_" in done.out) == (0, False)


@pytest.mark.parametrize("default", ["(substr(1))", "(row_number())", "(abs())"])
def test_a_default_that_sqlite_cannot_compute_is_an_error(tmp_path: Path, default: str) -> None:
    """CREATE TABLE accepts any function in a DEFAULT, but the first INSERT would fail."""
    done = run(write_project(tmp_path, f"{TABLE}      b: {{type: text, default_sql: {default}}}\n"), "generate")
    assert done.status == 2
    assert "schema.yaml:6:36, tables.t.columns.b.default_sql: SQLite can't compute this default: " in done.err


def test_json_has_the_place(tmp_path: Path) -> None:
    """``--json`` has the place and the object in separate keys."""
    write_project(tmp_path, TABLE + "      b: {type: text, check: lenght(b) > 2}\n")
    (hazard,) = json.loads(run(tmp_path, "generate", "--json").out)["hazards"]
    assert (hazard["where"], hazard["place"]) == ("t.b", "schema.yaml:6:30")
