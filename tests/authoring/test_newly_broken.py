"""A migration that breaks a view, a trigger or a virtual table stops ``generate``, which names the object at fault."""

from __future__ import annotations

import copy
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import listing, run
from tests.support.transitions import apply_with_runner, apply_with_yoyo, generate, run_script, write_schema
from waiaas_migrate.schema.hazards.hazard import Code

Body = dict[str, Any]

TABLES: Body = {
    "t": {
        "columns": {
            "id": {"type": "integer", "primary_key": True},
            "a": {"type": "text", "unique": True},
            "b": {"type": "text", "default": "x"},
        }
    },
    "log": {
        "columns": {
            "n": {"type": "integer", "primary_key": True},
            "what": {"type": "text", "unique": True},
            "who": "text",
        }
    },
}
ROWS = "INSERT INTO t (id, a) VALUES (1, 'p'), (2, 'q'); INSERT INTO log (what, who) VALUES ('w', 'me');"

DROP_B = ("t", "b", None)
DROP_WHO = ("log", "who", None)
ADD_AT = ("log", "at", "text")
ADD_C = ("t", "c", "text")
GENERATE_WHO = ("log", "who", {"type": "text", "generated": "lower(what)"})
GENERATE_B = ("t", "b", {"type": "text", "generated": "lower(a)"})
NOT_UNIQUE = ("log", "what", "text")

UPDATE = "UPDATE t SET a = a || 'z' WHERE id = 1"
INSERT = "INSERT INTO t (a) VALUES ('new')"
DELETE = "DELETE FROM t WHERE id = 2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to break an object: a change of a column, and a statement that fails afterwards."""

    change: tuple[str, str, object]
    fails: str
    where: str = "tr"
    views: dict[str, str] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)
    virtual_tables: dict[str, str] = field(default_factory=dict)
    tables: Body = field(default_factory=dict)

    def body(self) -> Body:
        """Return a schema in which everything works."""
        return {
            "tables": {**copy.deepcopy(TABLES), **copy.deepcopy(self.tables)},
            "views": dict(self.views),
            "triggers": dict(self.triggers),
            "virtual_tables": dict(self.virtual_tables),
        }

    def changed(self) -> Body:
        """Return the schema after the change."""
        body = self.body()
        table, column, to = self.change
        columns = body["tables"][table]["columns"]
        columns.pop(column, None)
        if to is not None:
            columns[column] = to
        return body


def trigger(change: tuple[str, str, object], body: str, *, on: str = "AFTER UPDATE ON t", fails: str = UPDATE) -> Way:
    """Return a way to break the trigger ``tr``."""
    return Way(change=change, fails=fails, triggers={"tr": f"CREATE TRIGGER tr {on} BEGIN {body}; END"})


def view(change: tuple[str, str, object], select: str) -> Way:
    """Return a way to break the view ``v``."""
    return Way(change=change, fails="SELECT * FROM v", where="v", views={"v": select})


UPSERT = "INSERT INTO log (what) VALUES (NEW.a) ON CONFLICT (what) DO UPDATE SET who = 'again'"

WAYS = {
    "insert-values-without-columns": trigger(ADD_AT, "INSERT INTO log VALUES (NULL, NEW.a, 'me')"),
    "insert-values-with-too-many": trigger(DROP_WHO, "INSERT INTO log VALUES (NULL, NEW.a, 'me')"),
    "insert-select-star": trigger(ADD_AT, "INSERT INTO log SELECT NULL, a, b FROM t WHERE id = NEW.id"),
    "insert-select-star-of-its-own-table": trigger(ADD_C, "INSERT OR IGNORE INTO log SELECT * FROM t"),
    "insert-column-list": trigger(DROP_WHO, "INSERT INTO log (what, who) VALUES (NEW.a, 'me')"),
    "insert-into-generated": trigger(GENERATE_WHO, "INSERT INTO log (what, who) VALUES (NEW.a, 'me')"),
    "set-of-a-dropped-column": trigger(DROP_WHO, "UPDATE log SET who = 'x'"),
    "set-of-its-own-table": trigger(DROP_B, "UPDATE t SET b = 'y' WHERE id = NEW.id", on="AFTER UPDATE OF a ON t"),
    "set-row-value": trigger(DROP_WHO, "UPDATE log SET (what, who) = (NEW.a, 'x') WHERE n < 0"),
    "set-generated": trigger(GENERATE_WHO, "UPDATE log SET who = 'x' WHERE n < 0"),
    "upsert-without-its-unique": trigger(NOT_UNIQUE, UPSERT),
    "upsert-sets-a-dropped-column": trigger(DROP_WHO, UPSERT),
    "row-value-count": trigger(ADD_AT, "SELECT RAISE(IGNORE) WHERE (NEW.id, NEW.a, NEW.b) IN (SELECT * FROM log)"),
    "new-column": trigger(DROP_B, "INSERT OR IGNORE INTO log (what) VALUES (NEW.b)"),
    "old-column-on-delete": trigger(
        DROP_B, "INSERT OR IGNORE INTO log (what) VALUES (OLD.b)", on="BEFORE DELETE ON t", fails=DELETE
    ),
    "insert": trigger(DROP_WHO, "DELETE FROM log WHERE who = NEW.a", on="AFTER INSERT ON t", fails=INSERT),
    "when": trigger(DROP_B, "DELETE FROM log WHERE n < 0", on="AFTER UPDATE ON t WHEN NEW.b = 'x'"),
    "update-of-rowid": trigger(
        DROP_WHO,
        "UPDATE log SET who = 'x'",
        on="AFTER UPDATE OF rowid ON t",
        fails="UPDATE t SET rowid = 7 WHERE id = 1",
    ),
    "update-from": trigger(DROP_WHO, "UPDATE t SET a = log.what FROM log WHERE log.who = t.a AND log.n < 0"),
    "ambiguous-name": trigger(
        ("log", "a", "text"), "DELETE FROM log WHERE n IN (SELECT n FROM log, t WHERE a = 'none')"
    ),
    "reaches-it-through-a-view": Way(
        change=ADD_AT,
        fails=UPDATE,
        views={"mid": "SELECT * FROM log", "top": "SELECT * FROM mid"},
        triggers={
            "tr": "CREATE TRIGGER tr AFTER UPDATE ON t BEGIN "
            "SELECT RAISE(IGNORE) WHERE (NEW.id, NEW.a, NEW.b) IN (SELECT * FROM top); END"
        },
    ),
    "instead-of": Way(
        change=DROP_WHO,
        fails="INSERT INTO v (id) VALUES (9)",
        views={"v": "SELECT id, a FROM t"},
        triggers={"tr": "CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN INSERT INTO log (who) VALUES (NEW.a); END"},
    ),
    "instead-of-update-of": Way(
        change=DROP_WHO,
        fails="UPDATE v SET a = 1",
        views={"v": "SELECT id, a FROM t"},
        triggers={"tr": "CREATE TRIGGER tr INSTEAD OF UPDATE OF a ON v BEGIN UPDATE log SET who = 1; END"},
    ),
    "instead-of-on-a-view-that-shrinks": Way(
        change=DROP_B,
        fails="DELETE FROM v",
        views={"v": "SELECT * FROM t"},
        triggers={"tr": "CREATE TRIGGER tr INSTEAD OF DELETE ON v BEGIN DELETE FROM log WHERE who = OLD.b; END"},
    ),
    "only-the-second-of-two": Way(
        change=ADD_AT,
        fails=UPDATE,
        triggers={
            "fine": "CREATE TRIGGER fine AFTER UPDATE ON t BEGIN DELETE FROM log WHERE n < 0; END",
            "tr": "CREATE TRIGGER tr AFTER UPDATE ON t BEGIN INSERT INTO log VALUES (NULL, NEW.a, 'me'); END",
        },
    ),
    "only-the-one-that-is-at-fault": Way(
        change=DROP_WHO,
        fails=UPDATE,
        triggers={
            "fires_it": "CREATE TRIGGER fires_it AFTER UPDATE ON t BEGIN INSERT INTO log (what) VALUES (NEW.a); END",
            "tr": "CREATE TRIGGER tr AFTER INSERT ON log BEGIN UPDATE log SET who = 'me' WHERE n = NEW.n; END",
        },
    ),
    "of-a-table-without-rowid": Way(
        change=ADD_AT,
        fails="INSERT INTO w VALUES ('k')",
        tables={"w": {"columns": {"k": {"type": "text", "primary_key": True}}, "without_rowid": True}},
        triggers={"tr": "CREATE TRIGGER tr AFTER INSERT ON w BEGIN INSERT INTO log VALUES (NULL, NEW.k, 1); END"},
    ),
    "of-a-table-whose-name-needs-quotes": Way(
        change=('o"d', "at", "text"),
        fails=UPDATE,
        tables={'o"d': {"columns": {"x y": "text"}}},
        triggers={"tr": 'CREATE TRIGGER tr AFTER UPDATE ON t BEGIN INSERT INTO "o""d" VALUES (NEW.a); END'},
    ),
    "view-of-a-dropped-column": view(DROP_B, "SELECT b FROM t"),
    "view-with-a-column-list": view(ADD_AT, "CREATE VIEW v (x, y, z) AS SELECT * FROM log"),
    "view-union-star": view(ADD_AT, "SELECT * FROM log UNION SELECT * FROM t"),
    "view-using": view(DROP_WHO, "SELECT t.id FROM t JOIN (SELECT who AS a, who FROM log) USING (a)"),
    "view-ambiguous": view(("log", "a", "text"), "SELECT a FROM t JOIN log ON n = id"),
    "view-row-value": view(ADD_AT, "SELECT id FROM t WHERE (id, a, b) IN (SELECT * FROM log)"),
    "view-over-a-view": Way(
        change=DROP_B,
        fails="SELECT * FROM v",
        where="v",
        views={"under": "SELECT * FROM t", "v": "SELECT b FROM under"},
    ),
    "content-of-a-full-text-table": Way(
        change=DROP_B,
        fails="SELECT * FROM f",
        where="f",
        virtual_tables={"f": "CREATE VIRTUAL TABLE f USING fts5(b, content='t', content_rowid='id')"},
    ),
    "content-of-an-fts4-table": Way(
        change=DROP_B,
        fails="SELECT * FROM f",
        where="f",
        virtual_tables={"f": "CREATE VIRTUAL TABLE f USING fts4(b, content='t')"},
    ),
}


def first_migration(folder: Path, body: Body) -> Path:
    """Make a project that declares ``body``, and its database with rows."""
    write_schema(folder, body)
    generate(folder, allow=())
    database = folder / "x.db"
    apply_with_runner(folder, database)
    run_script(database, ROWS)
    return database


def outcome(database: Path, statement: str) -> str | None:
    """Run ``statement``, roll it back, and return SQLite's error."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        try:
            connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            return str(error)
        finally:
            connection.execute("ROLLBACK")
    return None


@pytest.mark.parametrize("name", WAYS)
def test_a_broken_object_stops_generate(tmp_path: Path, name: str) -> None:
    """The broken object is named and nothing is written; if that is allowed, its statement really fails."""
    way = WAYS[name]
    database = first_migration(tmp_path, way.body())
    assert outcome(database, way.fails) is None
    write_schema(tmp_path, way.changed())
    before = listing(tmp_path / "migrations")
    refused = generate(tmp_path, allow=("DROP_COLUMN",))
    assert [(hazard.code, hazard.where) for hazard in refused.refused] == [(Code.BREAK_OBJECT, way.where)]
    assert listing(tmp_path / "migrations") == before
    written = generate(tmp_path, allow=("DROP_COLUMN", "break_object"))
    text = (tmp_path / "migrations" / f"{written.migration}.sql").read_text()
    assert f"\n-- hazard BREAK_OBJECT {way.where}: " in text
    other = Path(shutil.copy(database, tmp_path / "yoyo.db"))
    apply_with_runner(tmp_path, database)
    apply_with_yoyo(tmp_path, other)
    for file in (database, other):
        error = outcome(file, way.fails)
        assert error is not None
        assert error.split(":")[0] in refused.refused[0].what


@pytest.mark.parametrize(
    ("on", "change", "why"),
    [
        ("AFTER UPDATE OF b ON t", DROP_B, "t.b does not exist"),
        ("AFTER UPDATE OF a, b ON t", DROP_B, "t.b does not exist"),
        ('AFTER UPDATE OF A,"B" ON t', DROP_B, "t.B does not exist"),
        ("AFTER UPDATE OF b ON t", GENERATE_B, "t.b is generated"),
        ("INSTEAD OF UPDATE OF b ON v", DROP_B, "v.b does not exist"),
    ],
)
def test_a_trigger_that_would_never_fire_stops_generate(
    tmp_path: Path, on: str, change: tuple[str, str, object], why: str
) -> None:
    """SQLite accepts UPDATE OF with a column that does not exist, and never fires the trigger for it."""
    way = trigger(change, "DELETE FROM log", on=on)
    body, changed = way.body(), way.changed()
    body["views"] = changed["views"] = {"v": "SELECT * FROM t"}
    first_migration(tmp_path, body)
    write_schema(tmp_path, changed)
    (hazard,) = generate(tmp_path, allow=("DROP_COLUMN",)).refused
    assert (hazard.code, hazard.where) == (Code.BREAK_OBJECT, "tr")
    assert why in hazard.what


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("views", "v", "SELECT nope FROM t"),
        ("views", "v", "CREATE VIEW v (x) AS SELECT * FROM t"),
        ("triggers", "tr", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1); END"),
        ("triggers", "tr", "CREATE TRIGGER tr AFTER UPDATE OF nope ON t BEGIN DELETE FROM log; END"),
        ("virtual_tables", "f", "CREATE VIRTUAL TABLE f USING fts5(s, content='nowhere')"),
    ],
)
@pytest.mark.parametrize("initial", [True, False])
def test_an_object_that_never_worked_stops_generate(
    tmp_path: Path, kind: str, name: str, text: str, *, initial: bool
) -> None:
    """A broken object in the first migration is refused, too. Once allowed, it is not reported again."""
    if not initial:
        first_migration(tmp_path, {"tables": TABLES})
    body = {"tables": TABLES, kind: {name: text}}
    write_schema(tmp_path, body)
    refused = run(tmp_path, "generate")
    assert refused.status == 1
    assert f"BREAK_OBJECT {name}: leaves this " in refused.out
    assert "run with --allow BREAK_OBJECT" in refused.out
    assert run(tmp_path, "generate", "--allow", "BREAK_OBJECT").status == 0
    assert run(tmp_path, "check").status == 0
    tables = copy.deepcopy(TABLES)
    tables["t"]["columns"]["extra"] = "text"
    write_schema(tmp_path, {**body, "tables": tables})
    assert run(tmp_path, "generate").status == 0


def test_check_reports_what_a_hand_written_migration_breaks(tmp_path: Path) -> None:
    """``check`` names a broken object until a migration corrects it, or announces that it may stay broken."""
    way = WAYS["insert-values-without-columns"]
    first_migration(tmp_path, way.body())
    write_schema(tmp_path, way.changed())
    by_hand = tmp_path / "migrations" / "0002_at.sql"
    by_hand.write_text("-- depends: 0001_change\nALTER TABLE log ADD COLUMN at TEXT;\n", encoding="utf-8")
    assert run(tmp_path, "generate").status == 0
    found = run(tmp_path, "check")
    assert found.status == 1
    assert "tr: the trigger does not work: table log has 4 columns but 3 values were supplied" in found.out
    silent = tmp_path / "migrations" / "0003_known.sql"
    silent.write_text("-- depends: 0002_at\n-- hazard BREAK_OBJECT tr: nobody uses it\nSELECT 1;\n", encoding="utf-8")
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "check").status == 0


def test_a_change_that_breaks_nothing_has_no_hazard(tmp_path: Path) -> None:
    """Triggers that fire each other, and themselves, on quoted names and generated columns, keep working."""
    tables = copy.deepcopy(TABLES)
    tables["t"]["columns"]["g"] = {"type": "text", "generated": "lower(a)"}
    body: Body = {
        "tables": tables,
        "views": {"v": 'SELECT id, a AS "a b" FROM t', "w": 'SELECT my_function("a b") AS m FROM v'},
        "triggers": {
            "again": "CREATE TRIGGER again AFTER UPDATE OF a, rowid ON t WHEN NEW.id < 0 BEGIN "
            "UPDATE t SET a = NEW.g; INSERT INTO log (what) VALUES (my_function(NEW.a)); END",
            "logged": "CREATE TRIGGER logged AFTER INSERT ON log WHEN NEW.n < 0 BEGIN UPDATE t SET a = NULL; END",
            "into_v": 'CREATE TRIGGER into_v INSTEAD OF INSERT ON v BEGIN INSERT INTO t (a) VALUES (NEW."a b"); END',
        },
    }
    write_schema(tmp_path, body)
    assert {hazard.code for hazard in generate(tmp_path, allow=()).hazards} == {Code.UNKNOWN_FUNCTION}
    for table in ("t", "log"):
        tables[table]["columns"]["extra"] = "text"
    tables["t"]["columns"]["b"] = "integer"
    write_schema(tmp_path, body)
    assert [hazard.code for hazard in generate(tmp_path).hazards] == [Code.NARROW_TYPE]


def test_a_new_fault_of_a_trigger_that_had_another_is_reported(tmp_path: Path) -> None:
    """A trigger that was allowed not to fire for one column is reported if it starts to fail."""
    way = trigger(DROP_B, "INSERT INTO log VALUES (NULL, NEW.a, 'me')", on="AFTER UPDATE OF a, b ON t")
    first_migration(tmp_path, way.body())
    body = way.changed()
    write_schema(tmp_path, body)
    generate(tmp_path)
    body["tables"]["log"]["columns"]["at"] = "text"
    write_schema(tmp_path, body)
    (hazard,) = generate(tmp_path, allow=()).refused
    assert "table log has 4 columns but 3 values were supplied" in hazard.what
