"""STALE_VALUE: SQL that uses an enum value which a migration renames or removes, and no other SQL."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import edit, execute, generated_project, listing, run

SCHEMA = """\
version: 1
tables:
  orders:
    columns:
      id: {type: integer, primary_key: true}
      status: {type: text, nullable: false, enum: [open, done], default: open}
      kind: {type: text, enum: [plain, done]}
      closed_at: integer
      flag: {type: integer, generated: id}
  payments:
    columns:
      id: {type: integer, primary_key: true}
      status: {type: text, enum: [open, done]}
      order_id: integer
views:
  renamed: SELECT id, status AS s FROM orders
  plain: SELECT * FROM orders
"""
RENAME = "enum: [open, closed], default: open, enum_values: {renamed: {done: closed}}"
REMOVE = "enum: [open], default: open"


def project_with(folder: Path, *, views: str = "", triggers: str = "", change: tuple[str, str] | None = None) -> Path:
    """Generate a project with more views and triggers, after one change to the text of its schema.yaml."""
    text = SCHEMA + "".join(f"  {line}\n" for line in views.splitlines())
    if triggers:
        text += "triggers:\n" + "".join(f"  {line}\n" for line in triggers.splitlines())
    if change is not None:
        assert text.count(change[0]) == 1
        text = text.replace(*change)
    return generated_project(folder, text)


def stale(project: Path, new: str = RENAME) -> list[str]:
    """Return the hazards of changing the enum, without the code and the end of the sentence."""
    edit(project / "schema.yaml", "nullable: false, enum: [open, done], default: open", f"nullable: false, {new}")
    before = listing(project)
    done = run(project, "generate", "--allow", "REMOVE_ENUM_VALUE")
    found = [line for line in done.out.splitlines() if line.startswith("STALE_VALUE")]
    assert done.status == (1 if found else 0), done.err
    assert (listing(project) == before) is bool(found)
    end = ", which is no longer a value of the enum."
    assert all(line.endswith(end) for line in found)
    return [line.removeprefix("STALE_VALUE schema.yaml:").removesuffix(end) for line in found]


VIEWS = {
    "SELECT * FROM orders WHERE status NOT IN ('done')": "compares",
    "SELECT * FROM orders WHERE 'done' <> status": "compares",
    "SELECT * FROM orders AS o WHERE o.status IS 'done'": "compares",
    "SELECT * FROM main.orders WHERE \"status\" LIKE 'done'": "compares",
    "SELECT * FROM orders WHERE status BETWEEN 'a' AND 'done'": "compares",
    "SELECT CASE status WHEN 'done' THEN 1 END AS x FROM orders": "compares",
    "SELECT coalesce(status, 'done') AS x FROM orders": "compares",
    "SELECT id FROM orders WHERE (id, status) = (1, 'done')": "compares",
    "SELECT id FROM orders WHERE coalesce(status, 'open') = 'done'": "compares",
    "SELECT id FROM orders WHERE status COLLATE NOCASE = 'done'": "compares",
    "SELECT id FROM orders WHERE status IN (VALUES ('open'), ('done'))": "compares",
    "SELECT id FROM orders WHERE status IN (SELECT 'open' UNION SELECT 'done')": "compares",
    "SELECT id FROM orders WHERE kind IN (SELECT 'done' UNION SELECT status FROM orders)": None,
    "SELECT count(*) FILTER (WHERE status = 'done') AS n FROM orders": "compares",
    "SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id AND o.status = 'done'": "compares",
    "SELECT id FROM payments WHERE (SELECT o.status FROM orders o WHERE o.id = order_id) = 'done'": "compares",
    "SELECT id FROM payments WHERE EXISTS (SELECT 1 FROM orders o WHERE status = 'done' AND o.id = order_id)": "compares",
    "SELECT id FROM orders WHERE id = 1 UNION SELECT id FROM orders WHERE status = 'done'": "compares",
    "SELECT id FROM orders WHERE lower(status) = 'done'": "may compare",
    "SELECT id FROM orders WHERE status || '' = 'done'": "may compare",
    "SELECT replace(status, 'done', 'x') AS x FROM orders": "may compare",
    "SELECT id FROM plain WHERE status = 'done'": "may compare",
    "SELECT id FROM renamed WHERE s = 'done'": "may compare",
    "SELECT id FROM (SELECT id, status AS z FROM orders) AS q WHERE q.z = 'done'": "may compare",
    "WITH c (z) AS (SELECT status FROM orders) SELECT z FROM c WHERE z = 'done'": "may compare",
    # Other columns, other meanings.
    "SELECT * FROM orders WHERE kind = 'done'": None,
    "SELECT * FROM payments WHERE status = 'done'": None,
    "SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.status = 'done' AND o.status = 'open'": None,
    "SELECT o.id FROM orders o WHERE EXISTS (SELECT 1 FROM payments WHERE status = 'done' AND order_id = o.id)": None,
    "SELECT status, 'done' AS label FROM orders": None,
    "SELECT iif(status = 'open', 'done', 'x') AS x FROM orders": None,
    "SELECT id FROM orders WHERE status = 'Done' OR status = 'open' /* 'done' */": None,
    "SELECT id FROM renamed WHERE id = 'done'": None,
    "SELECT status AS done FROM orders": None,
    "SELECT id FROM orders WHERE closed_at = 'done' AND status <> 'open'": None,
}


@pytest.mark.parametrize("sql", VIEWS)
def test_views(tmp_path: Path, sql: str) -> None:
    """A view is reported if it compares the column with the old value; "may" if that can't be known."""
    project = project_with(tmp_path, views=f"v: |\n  {sql}")
    line = 1 + (project / "schema.yaml").read_text(encoding="utf-8").splitlines().index(f"    {sql}")
    found = stale(project)
    verb = VIEWS[sql]
    wanted = [f"{line}:{5 + sql.find(chr(39) + 'done')}, v: the view {verb} orders.status with 'done'"]
    assert found == ([] if verb is None else wanted)


TRIGGERS = {
    ("orders", "WHEN new.status = 'done'", "SELECT 1"): "compares orders.status with 'done'",
    ("orders", "WHEN old.kind = 'done'", "SELECT 1"): None,
    ("payments", "WHEN new.status = 'done'", "UPDATE orders SET closed_at = 1"): None,
    ("payments", "", "UPDATE orders SET status = 'done' WHERE id = new.order_id"): "writes 'done' to orders.status",
    ("payments", "", "UPDATE orders SET kind = 'done', (status) = ('open')"): None,
    ("payments", "", "UPDATE orders SET (kind, status) = ('plain', 'done')"): "writes 'done' to orders.status",
    ("payments", "", "UPDATE orders SET status = CASE WHEN id = 1 THEN 'done' ELSE status END"): (
        "writes 'done' to orders.status"
    ),
    ("payments", "", "UPDATE orders SET kind = 'plain' WHERE status = 'done'"): "compares orders.status with 'done'",
    ("payments", "", "DELETE FROM orders WHERE status = 'done'"): "compares orders.status with 'done'",
    ("payments", "", "DELETE FROM payments WHERE status = 'done' AND order_id IN (SELECT id FROM orders)"): None,
    ("payments", "", "INSERT INTO orders (kind, status) VALUES ('plain', 'done')"): "writes 'done' to orders.status",
    ("payments", "", "INSERT INTO orders (status) SELECT 'done' UNION SELECT 'open'"): "writes 'done' to orders.status",
    ("payments", "", "INSERT INTO orders (kind, status) VALUES ('done', 'open')"): None,
    ("payments", "", "INSERT INTO orders VALUES (1, 'open', 'plain', 0), (2, 'done', 'plain', 0)"): (
        "writes 'done' to orders.status"
    ),
    ("payments", "", "INSERT INTO orders VALUES (1, 'open', 'done', 0)"): None,
    ("payments", "", "INSERT INTO orders (status) SELECT 'done' FROM payments"): "writes 'done' to orders.status",
    ("payments", "", "INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status = 'done'"): (
        "writes 'done' to orders.status"
    ),
    ("orders", "", "UPDATE payments SET status = 'done' WHERE status <> 'done' AND order_id = new.id"): None,
    ("orders", "", "SELECT raise(ABORT, 'done') WHERE new.status = 'open'"): None,
}


@pytest.mark.parametrize("trigger", TRIGGERS, ids=" ".join)
def test_triggers(tmp_path: Path, trigger: tuple[str, str, str]) -> None:
    """A trigger is reported if it compares the column with the old value, or writes the old value to it."""
    table, when, statement = trigger
    sql = f"g: CREATE TRIGGER g AFTER UPDATE ON {table} {when} BEGIN {statement}; END"
    done = TRIGGERS[trigger]
    found = stale(project_with(tmp_path, triggers=sql))
    assert [re.sub(r"^\d+:\d+, ", "", line) for line in found] == ([] if done is None else [f"g: the trigger {done}"])


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("closed_at: integer", "closed_at: {type: integer, check: \"status <> 'done' OR closed_at > 0\"}", "a CHECK"),
        ("closed_at: integer", "closed_at: {type: integer, check: \"kind <> 'done' OR closed_at > 0\"}", None),
        ("generated: id}", "generated: status = 'done'}", "the generated column"),
        ("generated: id}", "generated: kind = 'done'}", None),
        ("  payments:", "    indexes: {i: {columns: [id], where: status = 'done'}}\n  payments:", "the index"),
        ("  payments:", "    indexes: {i: [{expression: status = 'done'}]}\n  payments:", "the index"),
        ("  payments:", "    indexes: {i: {columns: [id], where: kind = 'done'}}\n  payments:", None),
        ("      order_id: integer", "      order_id: {type: integer, check: status = 'done'}", None),
        (
            "  payments:",
            "    checks: [{check: orders.status <> 'done' OR id > 0, name: known}]\n  payments:",
            "the CHECK known",
        ),
    ],
)
@pytest.mark.parametrize("how", [RENAME, REMOVE])
def test_rules_of_the_table(tmp_path: Path, old: str, new: str, found: str | None, how: str) -> None:
    """CHECKs, indexes and generated columns of the table are reported if they compare the column."""
    lines = stale(project_with(tmp_path, change=(old, new)), how)
    assert len(lines) == (found is not None)
    assert found is None or f": {found} compares orders.status with 'done'" in lines[0]


def test_a_default_is_reported(tmp_path: Path) -> None:
    """An old value in ``default_sql`` is reported; in ``default``, schema.yaml itself is wrong."""
    project = project_with(tmp_path)
    found = stale(project, "enum: [open, closed], default_sql: \"'done'\", enum_values: {renamed: {done: closed}}")
    assert found == ["6:80, orders.status: the default is 'done'"]


def test_whole_numbers(tmp_path: Path) -> None:
    """Values may be numbers, also negative ones."""
    schema = "version: 1\ntables:\n  t: {columns: {n: {type: integer, enum: [-1, 2, 3]}, m: integer}}\nviews:\n"
    project = generated_project(
        tmp_path, schema + "  a: SELECT n FROM t WHERE n = -1\n  b: SELECT m FROM t WHERE m = -1\n"
    )
    edit(project / "schema.yaml", "[-1, 2, 3]", "[2, 3]")
    done = run(project, "generate", "--allow", "remove_enum_value")
    assert [line.split(": ")[1] for line in done.out.splitlines() if line.startswith("STALE_VALUE")] == [
        "the view compares t.n with -1, which is no longer a value of the enum."
    ]


def test_a_corrected_view_goes_along(tmp_path: Path) -> None:
    """Generate stops, says what to write, and passes once the view has the new value; a query then finds the rows."""
    project = project_with(tmp_path, views="unfinished: SELECT id FROM orders WHERE status NOT IN ('done')")
    assert run(project, "apply", "app.db").status == 0
    execute(project / "app.db", "INSERT INTO orders (id, status) VALUES (1, 'done'), (2, 'open')")
    edit(project / "schema.yaml", "nullable: false, enum: [open, done], default: open", f"nullable: false, {RENAME}")
    done = run(project, "generate")
    assert (done.status, done.err) == (1, "Nothing was written: --allow is needed for 1 hazard.\n")
    assert "\n  Write 'closed' instead. To do it anyway, run with --allow STALE_VALUE.\n" in done.out
    (row,) = json.loads(run(project, "generate", "--json").out)["hazards"]
    assert (row["code"], row["where"], row["place"], row["destructive"]) == (
        "STALE_VALUE",
        "unfinished",
        "schema.yaml:18:15",
        False,
    )
    edit(project / "schema.yaml", "NOT IN ('done')", "NOT IN ('closed')")
    assert run(project, "generate").status == 0
    assert run(project, "apply", "app.db").status == 0
    with closing(sqlite3.connect(project / "app.db")) as connection:
        assert connection.execute("SELECT id FROM unfinished").fetchall() == [(2,)]


def test_it_can_be_allowed(tmp_path: Path) -> None:
    """With --allow STALE_VALUE, the migration is written, and its head names the hazard."""
    project = project_with(tmp_path, views="v: SELECT id FROM orders WHERE status = 'done'")
    edit(project / "schema.yaml", "nullable: false, enum: [open, done], default: open", f"nullable: false, {RENAME}")
    assert run(project, "generate", "-m", "closed", "--allow", "STALE_VALUE").status == 0
    text = (project / "migrations" / "0002_closed.sql").read_text(encoding="utf-8")
    assert "\n-- hazard STALE_VALUE v: the view compares orders.status with 'done', which is no longer a value" in text
    assert run(project, "generate").out.startswith(("Nothing to generate", "No migration is needed"))


def test_a_list_that_gets_a_name_at_the_same_time(tmp_path: Path) -> None:
    """A value is also missed if the CHECK gets a name in the same migration."""
    project = project_with(tmp_path, views="v: SELECT id FROM orders WHERE status = 'done'")
    assert len(stale(project, "enum: {values: [open], constraint: known}, default: open")) == 1


def test_hints_that_have_been_followed(tmp_path: Path) -> None:
    """After the values are renamed, later changes to the table don't report the old values again."""
    project = project_with(tmp_path, views="v: SELECT id FROM orders WHERE status = 'done'")
    edit(project / "schema.yaml", "nullable: false, enum: [open, done], default: open", f"nullable: false, {RENAME}")
    assert run(project, "generate", "--allow", "STALE_VALUE").status == 0
    edit(project / "schema.yaml", "enum: [open, closed]", "enum: [open, closed, more]")
    done = run(project, "generate")
    assert (done.status, done.out) == (0, "orders.status: allow 'more'\n")
