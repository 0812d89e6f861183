"""The documentation: its examples run, it leaves nothing out, and the command reference is what click says.

To write docs/cli.md again after a command changed: ``python -m tests.test_docs`` in the checkout.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

import waiaas_migrate
from tests.support.projects import CHECKOUT, shipped_project
from waiaas_migrate import errors
from waiaas_migrate.cli.main import group
from waiaas_migrate.files.schema_file.schema_keys import COLUMN, TABLE, TOP
from waiaas_migrate.schema.hazards.hazard import DESTRUCTIVE, Code

README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"
REFERENCE = DOCS / "cli.md"
API = DOCS / "api.md"
PAGES = [README, CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]

# --- the command reference ---

INTRODUCTION = """\
# Commands

`python -m waiaas_migrate` works like `waiaas-migrate`.

Results go to stdout and messages to stderr. Color is used only on a terminal; set `NO_COLOR` to turn it off. For exit
statuses see the [README](../README.md#exit-status).

DATABASE is a path, a `file:` URI or a `sqlite:///` URL. Paths on the command line are relative to the current folder;
other paths come from the configuration. Commands that need neither `--schema` nor `--templates` accept and ignore them.

## Configuration

`[tool.waiaas-migrate]` in the nearest pyproject.toml, from the current folder upward:

```toml
[tool.waiaas-migrate]
schema = "schema.yaml"
migrations = "migrations"
templates = "templates"
catalog_edits = true         # false: rebuild tables instead of editing their definitions
secure_delete = false        # whether rebuilds overwrite deleted data; default: the connection's setting
ignore_tables = ["search_*"] # tables of other tools, by name or glob
setup = "app.db:prepare"     # called with every connection, to register collations, functions and extensions
```

`setup` names a function that takes a `sqlite3.Connection`. It gets empty databases in memory, too, so it must not read
tables.

Settings can run code, so a pyproject.toml that belongs to another user is refused, unless that user is root or called
`sudo`. In a container with a bind mount, set `WAIAAS_MIGRATE_TRUSTED` to the path of the file, to several paths separated
by `:`, or to `*`.

## JSON

With `--json`, stdout holds one object. Its keys are always present:

- `apply`: `database`, `applied`, `notices`, `backup`
- `apply --dry-run`: `database`, `migrations`, `bytes`, `bytes_to_write`, `free`, `is_short_of_room`, `backup`
- `check`: `findings`
- `diff`: `changes`, `hazards`, `sql`
- `drift`: `database`, `pending`, `unrecorded_tables`, `findings`
- `generate`: `migration`, `changes`, `hazards`, `refused`, `unrecorded`, `written`, `removed`
- `restore`: `database`, `restored`, `kept`, `notices`
- `restore --list`: `database`, `backups`
- `rollback`: `database`, `rolled_back`, `notices`, `backup`
- `status`: `database`, `migrations`, `at_head`, `unrecorded_tables`, `problems`
- several databases: `databases`, `summary`, `exit_status`
- a failure: `error`, `exit_status`

Items of its lists:

- `findings`: `subject` (`enum`, `schema`, `manifest`, `pragma`, `migration` or `hook`), `where`, `what`, `fix`
- `hazards`: `code`, `where`, `place`, `what`, `fix`, `destructive`
- `migrations` of `status`: `id`, `state` (`applied`, `pending` or `unknown`)
- `migrations` of `apply --dry-run`: `id`, `kind`, `may_lose`, `tables` (null if unknown), `hazards` (such as `DROP_TABLE agents`)
- `tables`: `table`, `cost`, `rows`, `bytes`, `is_estimate`
- `backups`: `path`, `made_at`, `head`, `bytes`
- `problems`: `file`, `line`, `column`, `path`, `what`, `fix`
- `databases`: `database`, `outcome`, `exit_status`, `seconds`; then the result's keys, or `error`
- `error`: `kind` (the [class](errors.md)), `message`, `problems`, `committed`, `backup`
"""


#: Options that several commands share, by the parameter's name. The page describes each once.
COMMON = ("as_json", "column_order", "jobs", "migrations", "no_verify", "schema", "stop_on_failure", "templates")


def reference() -> str:
    """Return docs/cli.md, written from the commands' help."""
    commands = [group.commands[name] for name in sorted(group.commands)]
    return "\n".join([INTRODUCTION, common_options(commands), *(section(str(one.name), one) for one in commands)])


def common_options(commands: list[click.Command]) -> str:
    """Return the section on the options that several commands share."""
    found = {str(one.name): one for command in commands for one in options_of(command)}
    return "\n".join(["## Common options", "", *(item(found[name]) for name in COMMON if name in found), ""])


def options_of(command: click.Command) -> list[click.Option]:
    """Return the options that the help of ``command`` shows."""
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def section(name: str, command: click.Command) -> str:
    """Return the section on one command; options in ``COMMON`` are only named."""
    arguments = [argument(one) for one in command.params if isinstance(one, click.Argument)]
    options = options_of(command)
    usage = " ".join(["waiaas-migrate", name, *(["[OPTIONS]"] if options else []), *arguments])
    own = [item(one) for one in options if one.name not in COMMON]
    shared = ", ".join(f"`{one.opts[-1]}`" for one in options if one.name in COMMON)
    listed = [*own, *([f"- {shared}"] if shared else []), ""]
    return "\n".join([f"## {name}", "", f"`{usage}`", "", *paragraphs(command.help or ""), *listed])


def argument(one: click.Argument) -> str:
    """Return an argument as the usage shows it: in brackets if it is optional."""
    name = str(one.human_readable_name).upper()
    return name if one.required else f"[{name}]"


def item(option: click.Option) -> str:
    """Return an option and its help as an item of a list."""
    words = re.sub(r"  \[(.+?)\]", r" (\1)", option.help or "")
    return f"- {spelling(option)}: {words}"


def paragraphs(text: str) -> Iterator[str]:
    """A help text as Markdown; what click is told not to wrap is code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            title, *lines = paragraph.removeprefix("\b\n").splitlines()
            yield "\n".join([title, "", "```", *(line.strip() for line in lines), "```", ""])
        else:
            yield paragraph + "\n"


def spelling(option: click.Option) -> str:
    """An option as it is written on the command line."""
    value = "" if option.is_flag else f" {option.metavar or option.name}"
    return ", ".join(f"`{name}{value if name == option.opts[-1] else ''}`" for name in option.opts)


API_INTRODUCTION = """\
# Python API

Import these names from `waiaas_migrate`. Other modules are private.

`open_database` and `push_schema` log the notices of a run as warnings of the logger `waiaas_migrate`; other functions
return them. Every error can be pickled.
"""


def api_reference() -> str:
    """Return docs/api.md: functions with the first line of their docstrings, then the names of all types."""
    values = {name: getattr(waiaas_migrate, name) for name in waiaas_migrate.__all__ if name != "__version__"}
    functions = [
        f"- `{name}{parameters(value)}`: {first_line(value)}"
        for name, value in values.items()
        if inspect.isfunction(value)
    ]
    types = {name: value for name, value in values.items() if not inspect.isfunction(value)}
    errors = [name for name, value in types.items() if issubclass(value, BaseException)]
    others = [name for name in types if name not in errors]
    parts = (
        ("Functions", "\n".join(functions)),
        ("Options, results and events", listed(others)),
        ("Errors", listed(errors) + " See [Errors](errors.md)."),
    )
    return "\n".join([API_INTRODUCTION, *(f"## {title}\n\n{text}\n" for title, text in parts)])


def parameters(value: Callable[..., object]) -> str:
    """Return the names of a function's parameters, in parentheses."""
    return f"({', '.join(inspect.signature(value).parameters)})"


def listed(names: list[str]) -> str:
    """Return names as one sentence of code words, wrapped as the other pages are."""
    return textwrap.fill(", ".join(f"`{name}`" for name in names) + ".", width=120, break_on_hyphens=False)


def first_line(value: object) -> str:
    """The first line of a docstring, as Markdown."""
    return re.sub(
        r":\w+:`~?([^`]+)`|``", lambda found: f"`{found[1]}`" if found[1] else "`", str(inspect.getdoc(value))
    ).splitlines()[0]


def test_every_hazard_is_documented() -> None:
    """Each hazard has a heading in docs/hazards.md, below the word on whether it destroys, and no other code has."""
    page = (DOCS / "hazards.md").read_text(encoding="utf-8")
    destructive, _, others = page.partition("## Rows may be refused")
    assert set(re.findall(r"^### (\w+)$", destructive, re.MULTILINE)) == set(DESTRUCTIVE)
    assert set(re.findall(r"^### (\w+)$", others, re.MULTILINE)) == set(Code) - DESTRUCTIVE


def test_the_command_reference_is_up_to_date() -> None:
    """docs/cli.md is what the commands say of themselves; ``python -m tests.test_docs`` writes it."""
    assert REFERENCE.read_text(encoding="utf-8") == reference()


def test_the_api_reference_is_complete() -> None:
    """docs/api.md has every public name; ``python -m tests.test_docs`` writes it."""
    page = API.read_text(encoding="utf-8")
    assert [name for name in waiaas_migrate.__all__ if name != "__version__" and f"`{name}" not in page] == []


@pytest.mark.parametrize("name", sorted(group.commands))
def test_every_option_is_documented(name: str) -> None:
    """Every command has a heading in docs/cli.md, and every spelling of its options stands below it."""
    page = REFERENCE.read_text(encoding="utf-8")
    below = re.split(r"^## ", page.partition(f"\n## {name}\n")[2], flags=re.MULTILINE)[0]
    missing = [
        spelt
        for one in group.commands[name].params
        for spelt in one.opts
        if isinstance(one, click.Option) and not one.hidden and f"`{spelt}" not in below
    ]
    assert below
    assert missing == []


# --- nothing is left out ---


def error_classes() -> list[str]:
    """The names of all error classes."""
    return [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.MigrateError) and value.__module__ == errors.__name__
    ]


@pytest.mark.parametrize("name", error_classes())
def test_every_error_is_documented(name: str) -> None:
    """Every error class stands in docs/errors.md, with its exit status."""
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    status = getattr(errors, name).exit_code
    assert re.search(rf"^- `{name}` \({status}\): ", page, re.MULTILINE)


@pytest.mark.parametrize("key", sorted({*TOP.keys, *TABLE.keys, *COLUMN.keys}))
def test_every_key_of_the_schema_file_is_documented(key: str) -> None:
    """Every key of schema.yaml, of a table and of a column begins a row of a table in docs/schema-file.md."""
    assert f"| `{key}` |" in (DOCS / "schema-file.md").read_text(encoding="utf-8")


def test_every_room_is_in_the_architecture() -> None:
    """docs/architecture.md has a row for each room of the package."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in (CHECKOUT / "waiaas_migrate").glob("*/__init__.py")]
    assert [room for room in rooms if f"| `{room}/` |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link leads to a file of the checkout, and to a heading where it names one."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        found = (page.parent / name) if name else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


# --- the README's examples run ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, the file that it speaks of, and what it holds."""

    language: str
    file: str
    text: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page that have a language, in order."""
    found = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(language=language, file=file, text=content) for language, file, content in found]


def run_blocks(folder: Path, text: str) -> None:
    """Do what the blocks of a page say, in ``folder``.

    ``diff FILE`` edits a file, ``sql FILE`` is what a file must hold, ``sh`` and ``python`` are run, ``output`` is what
    the last of them printed, and any other with a file is written to it.
    """
    printed = ""
    for block in blocks(text):
        path = folder / block.file
        match block.language:
            case "diff":
                apply_diff(path, block.text)
            case "sql":
                assert block.text == path.read_text(encoding="utf-8")
            case "sh":
                printed = run_command(folder, "sh", "-e", "-c", block.text)
            case "python" if not block.file:
                printed = run_command(folder, sys.executable, "-c", block.text)
            case "output":
                assert printed == block.text
            case "text":
                continue
            case _:
                path.write_text(block.text, encoding="utf-8")


def apply_diff(path: Path, diff: str) -> None:
    """Replace what the lines with a blank or a minus say by what those with a blank or a plus say, hunk by hunk."""
    text = path.read_text(encoding="utf-8")
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def run_command(folder: Path, *command: str) -> str:
    """Run a command with this environment's programs first, and give what it prints."""
    path = f"{commands(folder.parent / 'bin')}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        list(command),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(folder: Path) -> Path:
    """A folder with ``waiaas-migrate`` and ``yoyo`` in it, of this checkout and interpreter."""
    if not folder.exists():
        folder.mkdir()
        for name, module in (("waiaas-migrate", "waiaas_migrate"), ("yoyo", "yoyo")):
            script = folder / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
            script.chmod(0o755)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_readme_begins_with_what_generate_writes(tmp_path: Path) -> None:
    """The edit that the README begins with, made in the shipped project, gives the SQL that stands beside it."""
    opening, _, _ = README.read_text(encoding="utf-8").partition("\n## ")
    assert [block.language for block in blocks(opening)] == ["diff", "sh", "sql"]
    run_blocks(shipped_project(tmp_path / "project"), opening)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_migration_that_is_read_is_what_generate_writes(tmp_path: Path) -> None:
    """The migration that docs/reading-a-migration.md takes apart comes of the edit that stands beside it."""
    text = (DOCS / "reading-a-migration.md").read_text(encoding="utf-8")
    assert [block.language for block in blocks(text)] == ["toml", "yaml", "sh", "diff", "sh", "sql"]
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, text)


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_readme_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything below the README's first heading, done in its order in an empty folder, works."""
    _, _, rest = README.read_text(encoding="utf-8").partition("\n## ")
    assert {"python", "yaml", "sh", "output"} <= {block.language for block in blocks(rest)}
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, rest)


def test_the_example_of_the_errors_runs(tmp_path: Path) -> None:
    """The example in docs/errors.md opens a database with the schema that ships."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "errors.md").read_text(encoding="utf-8"))
    assert (folder / "daemon.db").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for a POSIX shell")
def test_the_page_on_migrations_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Everything in docs/migrations.md, done in its order, works, and all that it leaves agrees."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_blocks(folder, (DOCS / "migrations.md").read_text(encoding="utf-8"))
    run_command(folder, "waiaas-migrate", "apply", "app.db")
    run_command(folder, "waiaas-migrate", "rollback", "app.db", "--to", "0001_initial")
    assert run_command(folder, "waiaas-migrate", "drift", "app.db") == "app.db: no drift.\n"


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_readme_names_targets_that_exist(target: str) -> None:
    """The two commands that the README begins with are targets of the Makefile."""
    assert f"\nmake {target}\n" in README.read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    API.write_text(api_reference(), encoding="utf-8")
