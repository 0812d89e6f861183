"""Columns and tables that swap names, and hints that have been fulfilled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.transitions import apply_with_runner, generate, rows_of, run_script, write_schema
from waiaas_migrate.commands.diff import compare
from waiaas_migrate.files.project import find_project


def test_a_swap_runs_once_each_time_it_is_written(tmp_path: Path) -> None:
    """A fulfilled hint is followed again only if it was removed and written again."""
    database = tmp_path / "a.db"
    one = {"columns": {"a": "integer", "b": "integer"}}
    circle = {"columns": {"b": {"type": "integer", "renamed_from": "a"}, "a": {"type": "integer", "renamed_from": "b"}}}
    write_schema(tmp_path, {"tables": {"t": one}})
    generate(tmp_path, "first")
    apply_with_runner(tmp_path, database)
    run_script(database, "INSERT INTO t (a, b) VALUES (1, 2);")
    write_schema(tmp_path, {"tables": {"t": circle}})
    generate(tmp_path, "second")
    assert generate(tmp_path, "again").migration is None
    write_schema(tmp_path, {"tables": {"t": one}})
    assert generate(tmp_path, "cleared").migration is None
    write_schema(tmp_path, {"tables": {"t": circle}})
    assert generate(tmp_path, "third").migration is not None
    apply_with_runner(tmp_path, database)
    assert rows_of(database, "t", ["a", "b"]) == [{"a": 1, "b": 2}]


def test_an_old_name_can_be_used_again(tmp_path: Path) -> None:
    """A fulfilled hint does no harm while another column and another table use the old name."""
    database = tmp_path / "a.db"
    renamed = {"b": {"type": "integer", "renamed_from": "a"}}
    other = {"v": {"renamed_from": "t", "columns": renamed}}
    for tables, changed in (
        ({"t": {"columns": {"a": "integer"}}}, True),
        (other, True),
        (other, False),
        ({"v": {**other["v"], "columns": {**renamed, "a": "text"}}, "t": {"columns": {"x": "text"}}}, True),
        ({"v": {**other["v"], "columns": {**renamed, "a": "text"}}, "t": {"columns": {"x": "text"}}}, False),
        (other, True),
        (other, False),
    ):
        write_schema(tmp_path, {"tables": tables})
        assert (generate(tmp_path, "step").migration is not None) is changed
        apply_with_runner(tmp_path, database)
        if "t" in tables and len(tables) == 1:
            run_script(database, "INSERT INTO t VALUES (5);")
    assert rows_of(database, "v", ["b"]) == [{"b": 5}]


def test_a_swap_uses_a_temporary_name_that_is_free(tmp_path: Path) -> None:
    """The temporary name of a swap is not the name of an existing column."""
    columns: dict[str, Any] = {
        "a": {"type": "integer"},
        "b": {"type": "integer"},
        "_waiaas_a": "integer",
        "_waiaas_b": "integer",
    }
    write_schema(tmp_path, {"tables": {"t": {"columns": columns}}})
    generate(tmp_path, "first")
    apply_with_runner(tmp_path, tmp_path / "a.db")
    run_script(tmp_path / "a.db", "INSERT INTO t VALUES (1, 2, 3, 4);")
    columns["a"], columns["b"] = {**columns["a"], "renamed_from": "b"}, {**columns["b"], "renamed_from": "a"}
    write_schema(tmp_path, {"tables": {"t": {"columns": columns}}})
    generate(tmp_path, "second")
    apply_with_runner(tmp_path, tmp_path / "a.db")
    assert rows_of(tmp_path / "a.db", "t", list(columns)) == [{"a": 2, "b": 1, "_waiaas_a": 3, "_waiaas_b": 4}]


def test_diff_ignores_fulfilled_hints(tmp_path: Path) -> None:
    """``diff`` reports a swap before it has run, and nothing after it."""
    database, yaml_file = tmp_path / "a.db", tmp_path / "schema.yaml"
    old = {"columns": {"a": "integer", "b": "text"}}
    swapped = {"columns": {"b": {"type": "integer", "renamed_from": "a"}, "a": {"type": "text", "renamed_from": "b"}}}
    write_schema(tmp_path, {"tables": {"t": old}})
    generate(tmp_path, "first")
    apply_with_runner(tmp_path, database)
    write_schema(tmp_path, {"tables": {"t": swapped}})
    generate(tmp_path, "second")
    project = find_project(tmp_path)
    assert any("rename column" in change for change in compare(project, str(database), str(yaml_file)).changes)
    assert compare(project, str(tmp_path / "migrations"), str(yaml_file)).changes == ()
    assert compare(project, str(yaml_file), str(yaml_file)).changes == ()
    apply_with_runner(tmp_path, database)
    assert compare(project, str(database), str(yaml_file)).changes == ()
