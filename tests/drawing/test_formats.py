"""The output of ``diagram``: complete, escaped, and always the same."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest

from tests.support.projects import edit, execute, generated_project, run, run_process, shipped_project, write_project
from waiaas_migrate.cli.commands.diagram import diagram as command
from waiaas_migrate.commands.diagram import Format

#: Names, comments and values that mean something in HTML, Graphviz, Mermaid and Markdown.
ODD = """\
version: 1
tables:
  '</script><b>&"1"':
    comment: "a | `b` </script><script>alert(1)</script> #1; --> ]]>"
    columns:
      id: {type: integer, primary_key: true}
      '"end" {x}': {type: "DECIMAL(10, 2)", comment: "back\\\\slash"}
      PK: {type: text, enum: ["</script>", 'quo"te', "pi|pe", "`"]}
  日本:
    columns:
      'a b': {type: integer, references: {table: '</script><b>&"1"', column: id}}
views:
  v: "SELECT '```' AS x"
"""


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of scripts and styles."""

    VOID = frozenset({"meta", "input", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of an SVG that ends at once."""
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Every element ends in the order in which it began."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)


def parsed(text: str) -> Elements:
    """Return a page, parsed as a browser would."""
    elements = Elements()
    elements.feed(text)
    elements.close()
    assert elements.open == []
    return elements


def data_of(text: str) -> dict[str, Any]:
    """Return the data in a page."""
    found: dict[str, Any] = json.loads(parsed(text).text["script"][0])
    return found


def drawn(folder: Path, form: str, *arguments: str) -> str:
    """Return the output of ``diagram --format`` in ``folder``."""
    done = run(folder, "diagram", "--format", form, *arguments)
    assert done.status == 0, done.err
    return done.out


def test_every_format_is_offered() -> None:
    """The command offers every format that the function accepts."""
    choice = next(parameter for parameter in command.params if parameter.name == "form")
    assert tuple(choice.type.choices) == get_args(Format)  # type: ignore[attr-defined]


def test_the_page_has_everything(tmp_path: Path) -> None:
    """The page holds each table with its columns, keys, values and comments, and each relation with its actions."""
    data = data_of(drawn(shipped_project(tmp_path / "p"), "html"))
    faces = {face["name"]: face for face in data["faces"]}
    assert set(faces) >= {"agents", "sessions", "transactions", "policies", "pending_approvals", "audit_log"}
    agents = {row["name"]: row for row in faces["agents"]["rows"]}
    assert faces["agents"]["comment"] == "Agent identity and lifecycle state"
    assert agents["id"]["primary"]
    assert agents["public_key"]["unique"]
    assert agents["owner_address"]["nullable"]
    assert agents["status"]["default"] == "'CREATING'"
    assert agents["network"]["values"] == ["mainnet", "devnet", "testnet"]
    assert "(agent_id) references agents (id) on delete cascade" in {line["words"] for line in data["lines"]["now"]}


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    """The page names no address, and its policy allows only its own style and script."""
    text = drawn(shipped_project(tmp_path / "p"), "html")
    page = parsed(text)
    assert set(re.findall(r"\w+://[^\s\"'<)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not [attributes for _, attributes in page.found if {"src", "href", "style", "onclick"} & set(attributes)]
    policy = next(a["content"] for _, a in page.found if a.get("http-equiv") == "Content-Security-Policy") or ""
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for rule, content in (("style-src", page.text["style"][0]), ("script-src", page.text["script"][1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_odd_names_stay_text(tmp_path: Path) -> None:
    """No name, comment or value of the schema becomes markup of the page or the picture."""
    folder = write_project(tmp_path / "p", schema=ODD)
    text = drawn(folder, "html")
    assert [tag for tag, _ in parsed(text).found if tag in ("script", "b")] == ["script", "script"]
    faces = {face["name"]: face for face in data_of(text)["faces"]}
    assert faces['</script><b>&"1"']["comment"].startswith("a | `b` </script><script>")
    picture = ET.fromstring(drawn(folder, "svg"))  # noqa: S314 — our own file
    words = {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert words >= {'</script><b>&"1"', '"end" {x}', "日本"}
    assert not [element for element in picture.iter() if element.tag.endswith(("script", "}b"))]


def test_characters_that_xml_forbids(tmp_path: Path) -> None:
    """A control character in the name of a database's table is replaced in every format."""
    execute(tmp_path / "x.db", 'CREATE TABLE "a\x01b" ("c\x0bd" TEXT)')
    for form in get_args(Format):
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]|\\u0001", drawn(tmp_path, form, "x.db"))
    ET.fromstring(drawn(tmp_path, "svg", "x.db"))  # noqa: S314 — our own file


def test_mermaid_of_odd_names(tmp_path: Path) -> None:
    """Names that Mermaid can't read are replaced by words, and a comment has the original name."""
    assert (
        drawn(write_project(tmp_path / "p", schema=ODD), "mermaid")
        == """\
%% Written by waiaas-migrate diagram.
erDiagram
    t1["#lt;/script#gt;#lt;b#gt;&#quot;1#quot;"] {
        INTEGER id PK
        DECIMAL_10_2 end_x "#quot;end#quot; {x}; nullable; back\\slash"
        TEXT c_PK "PK; nullable; #lt;/script#gt;, quo#quot;te, pi|pe, `"
    }
    t2["日本"] {
        INTEGER a_b FK "a b; nullable"
    }
    t3["v"]
    t1 |o--o{ t2 : "a b"
"""
    )


def test_markdown_of_odd_names(tmp_path: Path) -> None:
    """Names and values are written as code, without markup; comments are escaped."""
    text = drawn(write_project(tmp_path / "p", schema=ODD), "markdown")
    assert '| `PK` | `TEXT` | yes |  |  | `</script>`, `quo"te`, `pi\\|pe`, `` ` `` |' in text
    assert "\na | \\`b\\` \\</script\\>\\<script\\>alert(1)" in text
    assert "\n````sql\n" in text
    assert "- [`日本`](#table-2): `(a b) references" in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_odd_names(tmp_path: Path) -> None:
    """Graphviz reads the graph without a warning."""
    text = drawn(write_project(tmp_path / "p", schema=ODD), "dot")
    done = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True)  # noqa: S607
    assert done.stderr == ""
    assert '"end" {x}' in done.stdout.replace("&quot;", '"')


@pytest.mark.parametrize("form", ["html", "svg"])
def test_the_same_bytes_every_time(tmp_path: Path, form: str) -> None:
    """Two processes with different hash seeds write the same file."""
    folder = shipped_project(tmp_path / "p")
    seeds = ("1", "2")
    runs = [run_process(folder, "diagram", "--format", form, PYTHONHASHSEED=seed) for seed in seeds]
    assert runs[0].out == runs[1].out
    assert len(runs[0].out) > 10_000


def test_the_format_follows_the_ending(tmp_path: Path) -> None:
    """The file's ending selects the format; an unknown one is refused, and nothing is written."""
    folder = write_project(tmp_path / "p")
    for name, beginning in (
        ("s.html", "<!doctype html>"),
        ("s.SVG", "<svg"),
        ("s.mmd", "%%"),
        ("s.gv", "//"),
        ("s.md", "<!--"),
    ):
        assert run(folder, "diagram", "-o", name).status == 0
        assert (folder / name).read_text(encoding="utf-8").startswith(beginning)
    done = run(folder, "diagram", "-o", "s.pdf")
    assert done.status == 2
    assert "no format has this ending" in done.err
    assert run(folder, "diagram").status == 2
    assert not (folder / "s.pdf").exists()


def test_only_its_own_files_are_replaced(tmp_path: Path) -> None:
    """A file that ``diagram`` wrote is replaced; any other stays, unless ``--force`` is given."""
    folder = write_project(tmp_path / "p")
    (folder / "README.md").write_text("# Mine\n", encoding="utf-8")
    refused = run(folder, "diagram", "-o", "README.md")
    assert refused.status == 2
    assert "--force" in refused.err
    assert (folder / "README.md").read_text(encoding="utf-8") == "# Mine\n"
    assert run(folder, "diagram", "-o", "README.md", "--force").status == 0
    edit(folder / "schema.yaml", "  notes:", "  remarks:")
    for name in ("README.md", "s.html", "s.html", "s.svg", "s.svg", "s.dot", "s.dot", "s.mmd", "s.mmd"):
        assert run(folder, "diagram", "-o", name).status == 0
    assert "remarks" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_database_instead_of_schema_yaml(tmp_path: Path) -> None:
    """A database file is drawn without a project, and without a history."""
    execute(tmp_path / "x.db", "CREATE TABLE a (id INTEGER PRIMARY KEY)", "CREATE TABLE b (a INT REFERENCES a)")
    data = data_of(drawn(tmp_path, "html", "x.db"))
    assert data["title"] == "x.db"
    assert data["steps"] == []
    assert len(data["lines"]["now"]) == 1


def test_without_igraph(tmp_path: Path) -> None:
    """Without igraph, formats with a layout say what to install; the others work."""
    folder = generated_project(tmp_path / "p")
    (folder / "igraph.py").write_text("raise ImportError\n", encoding="utf-8")
    for form in get_args(Format):
        done = run_process(folder, "diagram", "--format", form)
        if form in ("html", "svg"):
            assert done.status == 2
            assert "pip install 'waiaas-migrate[diagram]'" in done.err
            assert "Traceback" not in done.err
        else:
            assert done.status == 0, done.err
