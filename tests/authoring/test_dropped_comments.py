"""A dropped column loses its own comment, and no other column does."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import run


@pytest.mark.parametrize("dropped", [("z",), ("m",), ("a",), ("m", "z"), ("a", "m", "z")])
@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (\n id INTEGER PRIMARY KEY,\n a TEXT, -- one, two\n m TEXT, -- three, four\n z TEXT -- five, six\n)",
        "CREATE TABLE t (\n id INTEGER PRIMARY KEY,\n -- on a, yes\n a TEXT,\n -- on m, yes\n m TEXT,\n -- on z, yes\n z TEXT\n)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT /* a, a */, m TEXT /* m, m */, z TEXT /* z, z */)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, /* a,\n a */ m TEXT, /* m, m */ z TEXT, CHECK (id > 0) /* c, c */)",
        "CREATE TABLE t ( -- on t, yes\n id INTEGER PRIMARY KEY,\n a TEXT, -- a\n m TEXT,\n z TEXT\n)",
    ],
    ids=["behind", "before", "within", "mixed", "header"],
)
def test_comments_of_other_columns_are_kept(tmp_path: Path, text: str, dropped: tuple[str, ...]) -> None:
    """Other columns of an adopted table keep their comments, even with commas; rows and rollback are right."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_initial.sql").write_text(f"{text};\n")
    (tmp_path / "migrations" / "0001_initial.rollback.sql").write_text("DROP TABLE t;\n")
    assert run(tmp_path, "apply", "a.db").status == 0
    assert run(tmp_path, "inspect", "a.db", "-o", "schema.yaml").status == 0
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("INSERT INTO t (id, a, m, z) VALUES (1, 'a', 'm', 'z')")
        connection.commit()
    before = run(tmp_path, "inspect", "a.db").out.splitlines()
    wanted = [line for line in before if not line.startswith(tuple(f"      {name}:" for name in dropped))]
    assert run(tmp_path, "generate").status == 0
    declared = "\n".join(_without(before, dropped)) + "\n"
    (tmp_path / "schema.yaml").write_text(declared)
    done = run(tmp_path, "generate", "--allow", "DROP_COLUMN")
    assert (done.status, wanted != before) == (0, True), done.err
    assert run(tmp_path, "apply", "a.db").status == 0
    assert run(tmp_path, "inspect", "a.db").out == declared
    assert run(tmp_path, "check").status == 0
    assert run(tmp_path, "rollback", "a.db").status == 0
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        kept = [name for name in ("id", "a", "m", "z") if name not in dropped]
        row = connection.execute(f"SELECT {', '.join(kept)} FROM t").fetchone()
    assert row == tuple(1 if name == "id" else name for name in kept)


def _without(lines: list[str], dropped: tuple[str, ...]) -> list[str]:
    """Return the lines of a schema.yaml without those of some columns."""
    kept, is_dropped = [], False
    for line in lines:
        if not line.startswith("       "):
            is_dropped = line.startswith(tuple(f"      {name}:" for name in dropped))
        if not is_dropped:
            kept.append(line)
    return kept
