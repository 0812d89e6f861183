"""The changes that the page shows for each migration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.drawing.test_formats import data_of, drawn
from tests.support.projects import edit, generated_project, run


def evolved(folder: Path) -> dict[str, Any]:
    """Return the data of a project with a history.

    It has added, renamed, changed and dropped, and has a change without a migration.
    """
    generated_project(folder)
    edits = [
        ("      body: text\n", "      body: text\n      author: text\n"),
        ("      author: text\n", "      writer: {type: text, renamed_from: author}\n"),
        ("  notes:\n", "  remarks:\n    renamed_from: notes\n"),
        ("      writer: {type: text, renamed_from: author}\n", ""),
    ]
    for number, (old, new) in enumerate(edits):
        edit(folder / "schema.yaml", old, new)
        if number == 2:
            edit(folder / "kinds.py", '"done"', '"done", "late"')
        done = run(folder, "generate", "-m", f"step {number}", "--allow", "all")
        assert done.status == 0, done.err
    text = (folder / "schema.yaml").read_text(encoding="utf-8")
    (folder / "schema.yaml").write_text(text[: text.index("  remarks:")], encoding="utf-8")
    return data_of(drawn(folder, "html"))


def faces_of(data: dict[str, Any], moment: int) -> dict[str, dict[str, Any]]:
    """Return the faces that show at a moment, by their names."""
    spans = [span for card in data["cards"] for span in card.get("past", {"faces": []})["faces"]]
    numbers = [span["face"] for span in spans if span["during"][0] <= moment <= span["during"][1]]
    return {data["faces"][number]["name"]: data["faces"][number] for number in numbers}


def marks_of(face: dict[str, Any]) -> dict[str, str | None]:
    """Return the marks of a face's rows, if it has any."""
    return {row["name"]: row["mark"] for row in face["rows"] if "mark" in row}


def test_each_migration_marks_what_it_changed(tmp_path: Path) -> None:
    """Added, changed and removed tables and columns are marked at their migration, and only there."""
    data = evolved(tmp_path / "p")
    assert [step["name"] for step in data["steps"]][1:] == [
        "0002_step_0", "0003_step_1", "0004_step_2", "0005_step_3", "schema.yaml, without a migration",
    ]  # fmt: skip
    moments = [faces_of(data, moment) for moment in range(6)]
    assert {name: face.get("mark") for name, face in moments[0].items()} == {"tasks": "added", "notes": "added"}
    assert marks_of(moments[1]["notes"]) == {"author": "added"}
    assert marks_of(moments[2]["notes"]) == {"writer": "changed"}
    assert marks_of(moments[3]["tasks"]) == {"state": "changed"}
    assert moments[3]["remarks"]["mark"] == "changed"
    assert marks_of(moments[4]["remarks"]) == {"writer": "removed"}
    assert "mark" not in moments[4]["tasks"]
    assert moments[5]["remarks"]["mark"] == "removed"


def test_changes_are_in_words(tmp_path: Path) -> None:
    """Each migration lists its changes in words, and each change leads to its card; a renamed table keeps its card."""
    data = evolved(tmp_path / "p")
    words = [[change["words"] for change in step["changes"]] for step in data["steps"]]
    assert words[1] == ["added column notes.author (TEXT)"]
    assert words[2] == ["renamed column notes.author to writer"]
    assert words[3] == ["renamed table notes to remarks", "tasks.state: allow 'late'"]
    assert words[5] == ["dropped table remarks"]
    renamed = data["steps"][3]["changes"][0]["card"]
    assert {data["faces"][span["face"]]["name"] for span in data["cards"][renamed]["past"]["faces"]} == {
        "notes",
        "remarks",
    }
    assert "now" not in data["cards"][renamed]


def test_no_migrations(tmp_path: Path) -> None:
    """A project without migrations has no history."""
    folder = generated_project(tmp_path / "p")
    for path in (folder / "migrations").iterdir():
        path.unlink()
    assert data_of(drawn(folder, "html"))["steps"] == []


def test_relations_are_marked(tmp_path: Path) -> None:
    """A new relation is marked as added and a dropped one as removed; a renamed one has no mark."""
    data = evolved(tmp_path / "p")
    marks = [
        [line.get("mark") for line in data["lines"]["past"] if line["during"][0] <= moment <= line["during"][1]]
        for moment in range(6)
    ]
    assert marks == [["added"], [None], [None], [None], [None], ["removed"]]
    assert data["lines"]["now"] == []


def test_a_renamed_column_keeps_its_relation(tmp_path: Path) -> None:
    """The relation of a renamed column is neither added nor removed."""
    folder = generated_project(tmp_path / "p")
    edit(folder / "schema.yaml", "      task_id: {", "      task: {renamed_from: task_id, ")
    assert run(folder, "generate", "-m", "rename").status == 0
    lines = data_of(drawn(folder, "html"))["lines"]["past"]
    assert [(line["columns"], line.get("mark")) for line in lines] == [(["task_id"], "added"), (["task"], None)]
