"""A project's own templates, which may be broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import CHECKOUT, TABLES, catalog, listing, run, write_project
from waiaas_migrate.files.templates.render import Renderer, replaced_templates


def test_a_custom_template(tmp_path: Path) -> None:
    """A template in the project's folder replaces the packaged one of the same name; the others stay."""
    write_project(tmp_path)
    own = tmp_path / "templates"
    own.mkdir()
    shipped = (CHECKOUT / "templates" / "create_index.sql.j2").read_text(encoding="utf-8")
    (own / "create_index.sql.j2").write_text(
        shipped.replace("CREATE", "-- seen by the DBA\nCREATE", 1), encoding="utf-8"
    )
    assert run(tmp_path, "generate").status == 0
    sql = (tmp_path / "migrations" / "0001_initial.sql").read_text(encoding="utf-8")
    assert "-- seen by the DBA\nCREATE INDEX idx_tasks_state ON tasks (state);\n" in sql
    assert run(tmp_path, "apply", "app.db").status == 0
    assert catalog(tmp_path / "app.db") == TABLES


def test_templates_of_a_web_framework(tmp_path: Path) -> None:
    """A folder has custom templates only if a file in it has the name of a template; other files change nothing."""
    plain, web = write_project(tmp_path / "plain"), write_project(tmp_path / "web")
    (web / "templates" / "drop.sql.j2").mkdir(parents=True)
    for name in ("index.html", "base.j2", "report.sql.j2", "create_table.sql"):
        (web / "templates" / name).write_text("{% broken")
    for project in (plain, web):
        assert run(project, "generate").status == 0
        assert run(project, "check").status == 0
    written = [(project / "migrations" / "0001_initial.sql").read_bytes() for project in (plain, web)]
    assert written[0] == written[1]
    assert (Renderer(web / "templates").is_customized, replaced_templates(web / "templates")) == (False, ())
    (web / "templates" / "drop.sql.j2").rmdir()
    (web / "templates" / "drop.sql.j2").write_text("SELECT 1;")
    assert replaced_templates(web / "templates") == ("drop.sql.j2",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"CREATE {% if %}", "templates/create_index.sql.j2:1: can't use the template: "),
        (b"CREATE INDEX {{ action.nothing }};", "can't use the template: "),
        (b"CREATE INDEX \xff;", "can't use the template: it is not UTF-8"),
        (b"{% include 'nowhere.j2' %}", "can't use the template: there is no template nowhere.j2"),
        pytest.param(b"{{ 1 / 0 }}", "can't use the template: "),
        pytest.param(b"{{ action.index.parts + 1 }}", "can't use the template: "),
        pytest.param(b"-- nothing\n", "idx_tasks_state"),
        (b"CREATE INDEX idx ON nowhere (a);", "SQLite says: no such table: main.nowhere"),
        (b"CREATE INDEX idx ON tasks (state", "SQLite says: incomplete input"),
    ],
    ids=[
        "syntax",
        "unknown name",
        "bytes",
        "missing include",
        "arithmetic",
        "types",
        "left out",
        "wrong SQL",
        "half a statement",
    ],
)
def test_a_broken_template(tmp_path: Path, text: bytes, said: str) -> None:
    """For a broken template, generate exits with 2 and names the template or its faulty result; nothing is written."""
    write_project(tmp_path)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "create_index.sql.j2").write_bytes(text)
    before = listing(tmp_path)
    done = run(tmp_path, "generate")
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err
    assert listing(tmp_path) == before


def test_a_failed_proof_names_the_custom_templates(tmp_path: Path) -> None:
    """A failed proof names the custom templates as a possible cause.

    Nobody should report their faults as the tool's.
    """
    write_project(tmp_path)
    assert run(tmp_path, "generate").status == 0
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "drop.sql.j2").write_text("SELECT 1;\n", encoding="utf-8")
    (tmp_path / "schema.yaml").write_text("version: 1\ntables: {t: {columns: {a: text}}}\n", encoding="utf-8")
    done = run(tmp_path, "generate", "--allow", "all")
    assert done.status == 2
    assert (
        f"Your templates in {tmp_path / 'templates'} were used. First check whether the proof passes without them."
        in done.err
    )
