"""Write the reference pages, docs/cli.md, docs/api.md and docs/findings.md, from what the package says of itself.

Run ``python -m tests.support.reference_pages`` in the checkout after a change to commands, public names or findings.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator

import click

import waiaas_migrate
from tests.support.projects import CHECKOUT
from waiaas_migrate.cli.main import group
from waiaas_migrate.commands.findings import EXPLANATIONS

REFERENCE = CHECKOUT / "docs" / "cli.md"
API = CHECKOUT / "docs" / "api.md"
FINDINGS = CHECKOUT / "docs" / "findings.md"

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
main_branch = "trunk"        # its migrations are released; default: the remote's default branch, main or master
setup = "app.db:prepare"     # called with every connection, to register collations, functions and extensions
```

`setup` names a function that takes a `sqlite3.Connection`. It gets empty databases in memory, too, so it must not read
tables.

Settings can run code, so a pyproject.toml that belongs to another user is refused, unless that user is root or called
`sudo`. In a container with a bind mount, set `WAIAAS_MIGRATE_TRUSTED` to the path of the file, to several paths separated
by `:`, or to `*`.

## JSON

With `--json`, stdout holds one object. Its keys are always present:

- `adopt`: `database`, `at`, `recorded`, `completed`, `reworded`, `pending`, `findings`, `equal_to`, `notices`
- `apply`: `database`, `applied`, `notices`, `backup`, `manual_changes`
- `apply --redo`: `database`, `rolled_back`, `applied`, `losses`, `notices`, `backup`, `manual_changes`
- `apply --dry-run`: `database`, `migrations`, `bytes`, `bytes_to_write`, `free`, `is_short_of_room`, `backup`, `manual_changes`
- `check`: `findings`
- `diff`: `changes`, `hazards`, `sql`
- `drift`: `database`, `pending`, `unrecorded_tables`, `findings`
- `drift --as-migration`: `database`, `migration`, `changes`, `hazards`, `refused`, `written`, `edits`, `notices`
- `drift --fix`: `database`, `changes`, `hazards`, `sql`
- `generate`: `migration`, `changes`, `hazards`, `refused`, `unrecorded`, `replaced`, `written`, `removed`
- `new`: `migration`, `written`, `removed`
- `record`: `added`, `edited`, `deleted`, `notices`, `written`, `removed`
- `restore`: `database`, `restored`, `kept`, `notices`
- `restore --list`: `database`, `backups`
- `rollback`: `database`, `rolled_back`, `losses` (`kind`, `name`, `count`, `reason`), `notices`, `backup`
- `rebase`: `renumbered` (new ids by old ones), `replaced`, `migration`, `changes`, `hazards`, `refused`, `written`, `removed`
- `squash`: `migration`, `replaced`, `rows`, `written`, `deleted`, `removed`
- `status`: `database`, `migrations`, `at_head`, `unrecorded_tables`, `problems`, `mismatch`, `manual_changes`
- several databases: `databases`, `summary`, `exit_status`
- a failure: `error`, `exit_status`

Items of its lists:

- `findings`: `code`, `severity`, `subject`, `where`, `what`, `fix`, `file`, `line`, `column` (see [Findings](findings.md))
- `hazards`: `code`, `where`, `place`, `what`, `fix`, `destructive`
- `edits`: `place`, `path`, `action` (`add`, `replace` or `remove`), `text`
- `migrations` of `status`: `id`, `state` (`applied`, `pending`, `unknown` or `changed`)
- `mismatch` (null if there is none): `migrations`, `what`, `fix`
- `migrations` of `apply --dry-run`: `id`, `kind`, `may_lose`, `tables` (null if unknown), `hazards` (such as `DROP_TABLE agents`)
- `tables`: `table`, `cost`, `rows`, `bytes`, `is_estimate`
- `backups`: `path`, `made_at`, `head`, `bytes`
- `problems`: `file`, `line`, `column`, `path`, `what`, `fix`
- `databases`: `database`, `outcome`, `exit_status`, `seconds`; then the result's keys, or `error`
- `error`: `kind` (the [class](errors.md)), `message`, `problems`, `committed`, `backup`
"""


#: Options that several commands share, by the parameter's name. The page describes each once.
COMMON = (
    *("as_json", "style", "column_order", "jobs", "migrations", "no_verify", "released", "schema", "stop_on_failure"),
    "templates",
)


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


FINDINGS_INTRODUCTION = """\
# Findings of check and drift

Each finding has one of these codes, which stay the same from release to release. `check` shows findings where you look:

- `waiaas-migrate check` prints text.
- `waiaas-migrate check --format github` annotates lines of a pull request in GitHub Actions.
- `waiaas-migrate check --format sarif > check.sarif` is for code scanning.
- `waiaas-migrate check --format junit > check.xml` is for GitLab and Jenkins.
- `waiaas-migrate check --format json` is for your own programs; see [JSON](cli.md#json).

In JSON, `severity` is `error`, `warning` or `info`; `file` is relative to the project's folder, and empty if there is none.
`subject` is `enum`, `schema`, `manifest`, `pragma`, `migration`, `hook` or `models`.

Problems that stop a command, such as a typo in schema.yaml, are reported in the same format, with the kind of the
[error](errors.md) as their code.

| code | meaning |
| --- | --- |
"""


def findings_reference() -> str:
    """Return docs/findings.md: each code of ``check`` and ``drift`` with its meaning."""
    return FINDINGS_INTRODUCTION + "".join(f"| `{code}` | {text} |\n" for code, text in EXPLANATIONS.items())


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


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    API.write_text(api_reference(), encoding="utf-8")
    FINDINGS.write_text(findings_reference(), encoding="utf-8")
