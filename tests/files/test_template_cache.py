"""Compiled templates are cached between runs, and a damaged cache does no harm."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from waiaas_migrate.files.bundled import bundled
from waiaas_migrate.files.templates.render import Renderer, TemplateCache, user_cache_folder
from waiaas_migrate.schema.changes import RenameTable

ACTION = RenameTable(old="a", new="b")
SQL = "ALTER TABLE a RENAME TO b;"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder for the user."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def rendered(templates: Path, cache: Path, *, trim: bool = True) -> str:
    """Render the template ``it`` in a new environment."""
    options = {"trim_blocks": trim}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        bytecode_cache=TemplateCache(cache, options),
        autoescape=False,  # noqa: S701  no HTML
        trim_blocks=trim,
    )
    return environment.get_template("it").render()


def test_a_template_is_compiled_once(home: Path) -> None:
    """The second renderer reads the cache that the first one wrote, and leaves the file unchanged."""
    assert Renderer().action(ACTION) == SQL
    (kept,) = (home / "waiaas-migrate" / "templates").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    before = kept.stat()
    assert Renderer().action(ACTION) == SQL
    assert [kept] == list(kept.parent.iterdir())
    after = kept.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_cached_code_runs(tmp_path: Path) -> None:
    """If the cached files are swapped, the results are swapped, too."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "cache").mkdir()
    template = tmp_path / "templates" / "it"
    template.write_text("one", encoding="utf-8")
    assert rendered(tmp_path / "templates", tmp_path / "cache") == "one"
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    template.write_text("other", encoding="utf-8")
    assert rendered(tmp_path / "templates", tmp_path / "cache") == "other"
    assert kept.read_bytes() != whole
    template.write_text("one", encoding="utf-8")
    kept.write_bytes(whole)
    assert rendered(tmp_path / "templates", tmp_path / "cache") == "one"
    assert kept.read_bytes() == whole


def test_other_options_compile_again(tmp_path: Path) -> None:
    """Cached code that was compiled with other options is not used."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "templates" / "it").write_text("{% if true %}\na{% endif %}", encoding="utf-8")
    found = [rendered(tmp_path / "templates", tmp_path / "cache", trim=trim) for trim in (True, False, True)]
    assert found == ["a", "\na", "a"]


@pytest.mark.parametrize("template", sorted(path.name for path in bundled("templates").iterdir()))
def test_templates_filter_no_constants(template: str) -> None:
    """No template filters or tests a constant: its result would stay in the cache after the filter changes."""
    environment = Renderer()._environment
    tree = environment.parse((bundled("templates") / template).read_text(encoding="utf-8"))
    for found in tree.find_all((nodes.Filter, nodes.Test)):
        found.set_environment(environment)
        with pytest.raises(nodes.Impossible):
            found.as_const()


@pytest.mark.parametrize("damage", [b"", b"nothing of the kind", slice(0, -1), slice(1, None)])
def test_damaged_files_are_replaced(home: Path, damage: bytes | slice) -> None:
    """A cache file that is incomplete, empty or something else is not used, and is replaced."""
    Renderer().action(ACTION)
    (kept,) = (home / "waiaas-migrate" / "templates").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[damage] if isinstance(damage, slice) else damage)
    assert Renderer().action(ACTION) == SQL
    assert kept.read_bytes() == whole


def test_a_folder_instead_of_a_file(home: Path) -> None:
    """A cache file that can't be read or replaced stays as it is, and no other file is left over."""
    Renderer().action(ACTION)
    (kept,) = (home / "waiaas-migrate" / "templates").iterdir()
    kept.unlink()
    (kept / "full").mkdir(parents=True)
    assert Renderer().action(ACTION) == SQL
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="rights of POSIX")
def test_a_shared_folder_is_not_used(home: Path) -> None:
    """A folder that others may write to is neither read nor written."""
    folder = home / "waiaas-migrate" / "templates"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert user_cache_folder() is None
    assert Renderer().action(ACTION) == SQL
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_not_used(home: Path) -> None:
    """Nothing is created in the cache folder of another user, as under sudo."""
    os.chown(home, 12345, 12345)
    assert user_cache_folder() is None
    assert Renderer().action(ACTION) == SQL
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("place", ["/dev/null", "relative", "file/below", "/nonexistent/folder"])
def test_impossible_cache_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """If the folder can't be created, templates are compiled each time, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    where = place if place.startswith(("/", "relative")) else str(tmp_path / place)
    monkeypatch.setenv("XDG_CACHE_HOME", where)
    assert user_cache_folder() is None
    assert Renderer().action(ACTION) == SQL
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_own_templates_are_not_cached(home: Path, tmp_path: Path) -> None:
    """If a project has its own templates, all templates are compiled each time."""
    own = tmp_path / "templates"
    own.mkdir()
    (own / "rename_table.sql.j2").write_text("SELECT 1;", encoding="utf-8")
    assert Renderer(own).action(ACTION) == "SELECT 1;"
    assert list(home.iterdir()) == []
