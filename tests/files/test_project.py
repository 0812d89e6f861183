"""The project's folder and settings are found, and every problem with them is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from waiaas_migrate.errors import ProjectError
from waiaas_migrate.files.project import Project, find_project


def write(folder: Path, text: str) -> Path:
    """Write a pyproject.toml in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_text(text)
    return path


def complaint(folder: Path) -> str:
    """Return the error for a project that can't be used, with the short path of its file."""
    with pytest.raises(ProjectError) as caught:
        find_project(folder)
    return str(caught.value).replace(str(folder / "pyproject.toml"), "pyproject.toml")


def test_without_a_table_the_folder_itself_is_the_project(tmp_path: Path) -> None:
    """Defaults are relative to the current folder; a pyproject.toml without the tool's table is ignored."""
    write(tmp_path, "[project]\nname = 'x'\n")
    assert find_project(tmp_path) == Project(
        root=tmp_path,
        schema=tmp_path / "schema.yaml",
        migrations=tmp_path / "migrations",
        templates=tmp_path / "templates",
        catalog_edits=True,
    )


def test_the_table_is_found_upward(tmp_path: Path) -> None:
    """Paths in the settings are relative to their pyproject.toml.

    A nearer pyproject.toml without the table is skipped.
    """
    write(tmp_path, "[tool.waiaas-migrate]\nschema = 'db/schema.yaml'\ncatalog-edits = false\n")
    write(tmp_path / "a" / "b", "[tool.other]\n")
    assert find_project(tmp_path / "a" / "b" / "c") == Project(
        root=tmp_path,
        schema=tmp_path / "db" / "schema.yaml",
        migrations=tmp_path / "migrations",
        templates=tmp_path / "templates",
        catalog_edits=False,
    )


def test_options_win(tmp_path: Path) -> None:
    """Paths on the command line are relative to the current folder."""
    write(tmp_path, "[tool.waiaas-migrate]\nschema = 'db/schema.yaml'\nmigrations = 'm'\n")
    here = tmp_path / "sub"
    project = find_project(here, schema="other.yaml", templates=Path("/t"))
    assert (project.root, project.schema) == (tmp_path, here / "other.yaml")
    assert (project.migrations, project.templates) == (tmp_path / "m", Path("/t"))


def test_all_problems_of_the_table_are_reported(tmp_path: Path) -> None:
    """Unknown keys with a suggestion, wrong types and keys in two spellings, each with its line."""
    write(
        tmp_path,
        "[tool.waiaas-migrate]\nshema = 'a'\nmigrations = 5\ncatalog_edits = 'no'\ncatalog-edits = true\nxyz = 1\n",
    )
    assert complaint(tmp_path) == (
        "pyproject.toml:2, tool.waiaas-migrate.shema: unknown key `shema`. Did you mean `schema`?\n"
        'pyproject.toml:3, tool.waiaas-migrate.migrations: `migrations` must be a path. Write `migrations = "migrations"`.\n'
        "pyproject.toml:4, tool.waiaas-migrate.catalog_edits: `catalog_edits` must be true or false. "
        "Write `catalog_edits = false`.\n"
        "pyproject.toml:5, tool.waiaas-migrate.catalog-edits: `catalog_edits` is set twice. Remove one of them.\n"
        "pyproject.toml:6, tool.waiaas-migrate.xyz: unknown key `xyz`. Known keys: `schema`, `migrations`, `templates`, "
        "`database`, `models`, `enums_python`, `enums_typescript`, `catalog_edits`, `secure_delete`, `ignore`, `main_branch`, `lint`, `models_style`, `setup`."
    )


def test_broken_toml_is_reported_with_its_place(tmp_path: Path) -> None:
    """The message has the parser's text, line and column."""
    write(tmp_path, "[tool.waiaas-migrate]\nschema = \n")
    assert complaint(tmp_path) == "pyproject.toml:2:10: this is not TOML: Invalid value. Correct it."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = '\xff'", "pyproject.toml:1:6: the byte 0xFF here is not UTF-8. Save the file as UTF-8."),
        (
            b"[tool]\nwaiaas-migrate = 5",
            "pyproject.toml, tool.waiaas-migrate: this is not a table. Write `[tool.waiaas-migrate]` with the keys ",
        ),
        (b"a = " + b"[" * 100_000, "pyproject.toml: this is not TOML: "),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    """For any content of the file, the result is a project or an error of this package."""
    (tmp_path / "pyproject.toml").write_bytes(content)
    assert complaint(tmp_path).startswith(said)
