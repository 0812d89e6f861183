"""Write the reference pages, docs/cli.md, docs/api.md, docs/findings.md and docs/lint, from the package's own texts.

Run ``python -m tests.support.reference_pages`` in the checkout after a change to commands, public names or findings.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator

import click

import waiaas_migrate.sqlalchemy
import waiaas_migrate.waiaas
from tests.support.lint_pages import write_lint_pages
from tests.support.projects import CHECKOUT
from waiaas_migrate.cli.main import group
from waiaas_migrate.commands.findings import FindingCode
from waiaas_migrate.files.schema_file.forms import Form
from waiaas_migrate.files.schema_file.json_schema import JSON_SCHEMA, json_schema_text
from waiaas_migrate.files.schema_file.schema_keys import COLUMN, TABLE, TOP

REFERENCE = CHECKOUT / "docs" / "cli.md"
API = CHECKOUT / "docs" / "api.md"
SCHEMA_FILE = CHECKOUT / "docs" / "schema-file.md"
FINDINGS = CHECKOUT / "docs" / "findings.md"

INTRODUCTION = """\
# Commands

`python -m waiaas_migrate` works like `waiaas-migrate`.

Results go to stdout and messages to stderr. Color is used only on a terminal; set `NO_COLOR` to turn it off. For exit
statuses see the [README](../README.md#exit-status).

Every command takes `--quiet` (`-q`), to print only results, questions and errors, and `--verbose` (`-v`), to name each
migration and statement that `apply` and `rollback` run.

DATABASE is a path, a `file:` URI or a `sqlite:///` URL. Without one, commands use the environment variable
`WAIAAS_MIGRATE_DATABASE`, then `database` of the configuration. If `restore` gets one argument, it is DATABASE.

Paths on the command line are relative to the current folder, and those in the configuration to its folder. Commands that
need neither `--schema` nor `--templates` accept and ignore them.

## Configuration

The settings are in `[tool.waiaas-migrate]` of the nearest pyproject.toml, from the current folder upward:

```toml
[tool.waiaas-migrate]
schema = "schema.yaml"
migrations = "migrations"
templates = "templates"
database = "app.db"          # used if a command gets no DATABASE; may be a pattern
catalog_edits = true         # false: rebuild tables instead of editing their definitions
secure_delete = false        # whether rebuilds overwrite deleted data; default: the connection's setting
ignore = ["search_*"]        # tables and views of other tools, by name or glob
main_branch = "trunk"        # its migrations are released; default: the remote's default branch, main or master
enums_python = "app/enums.py"        # the modules that `enums` writes; `check` reports one that is out of date
enums_typescript = "src/enums.ts"
lint = { ignore = [] }       # which rules `lint` runs; see docs/lint.md
models = "app/tables.py"     # the module that `models` writes and `check` compares
models_style = "declarative" # classes, or "core" for Table objects
setup = "app.db:prepare"     # called with every connection, to register collations, functions and extensions
```

`setup` names a function that takes a `sqlite3.Connection`. It is also called with empty databases in memory, so it must
not read tables.

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
- `lint`: `findings`
- `init`: `written`, `adopted`, `notices`, `next` (commands, each with its purpose)
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

Items of these lists and objects:

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
COMMON = tuple(
    "as_json column_order jobs migrations no_verify output_format released schema stop_on_failure templates".split()
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
    return name if one.required or name.startswith("[") else f"[{name}]"


def item(option: click.Option) -> str:
    """Return an option and its help as an item of a list."""
    words = re.sub(r"  \[(.+?)\]", r" (\1)", option.help or "")
    return f"- {spelling(option)}: {words}"


def paragraphs(text: str) -> Iterator[str]:
    """Return a help text as Markdown; paragraphs that click must not wrap become code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            title, *lines = paragraph.removeprefix("\b\n").splitlines()
            yield "\n".join([title, "", "```", *(line.strip() for line in lines), "```", ""])
        else:
            yield paragraph + "\n"


def spelling(option: click.Option) -> str:
    """Return an option as it is written on the command line."""
    value = "" if option.is_flag else f" {option.metavar or option.name}"
    return ", ".join(f"`{name}{value if name == option.opts[-1] else ''}`" for name in option.opts)


API_INTRODUCTION = """\
# Python API

Import from `waiaas_migrate`, `waiaas_migrate.sqlalchemy` and `waiaas_migrate.waiaas`. Everything else is private and may
change in any release.

An application needs only the first section. The functions in the others do what the [commands](cli.md) of the same names
do, for scripts and tests. A file or folder can be given as a string or a `Path`, a database also as a `file:` URI or `sqlite:///` URL.
Options, results and events are frozen dataclasses; the list shows their fields. `help(waiaas_migrate.apply)` describes the
arguments and errors of a function.
"""

#: The sections of docs/api.md: a heading, an introduction, and the names in order. Errors have a section of their own.
API_SECTIONS = (
    (
        "Open a database",
        "`open_database` and `push_schema` log the notices of a run as warnings of the logger `waiaas_migrate`.",
        "open_database connect push_schema close_database generate_id",
    ),
    (
        "Run migrations",
        "The results hold the notices.",
        (
            "apply estimate status rollback redo restore backups_of RunOptions Extent ApplyResult Estimate "
            "MigrationEstimate TableEstimate Status Mismatch RollbackResult RedoResult Loss Restored Backup"
        ),
    ),
    (
        "Run migrations of many databases",
        "See [Migrate many databases](deploying.md#migrate-many-databases).",
        "apply_to_all estimate_all status_of_all drift_of_all adopt_all Fleet Outcome Failure",
    ),
    (
        "Follow a run",
        "`RunOptions(listener=…)` takes a function that is called with each [event](runner.md#events).",
        "MigrationStarted StatementStarted Progress MigrationFinished Committed",
    ),
    (
        "Write migrations",
        "",
        "find_project init generate models new record rebase squash Project Initialized Generated New Recorded Rebased Squashed Hazard",
    ),
    (
        "Check and compare",
        "",
        (
            "check lint lint_database drift diff diagram enums inspect adopt take_over undo_changes Finding Subject "
            "FindingCode Severity "
            "Problem Drift Comparison Inspected Adoption Difference TakenOver SchemaEdit Undoing"
        ),
    ),
)
#: The other modules to import from.
API_MODULES = (waiaas_migrate.sqlalchemy, waiaas_migrate.waiaas)
#: The meaning of names that are neither functions nor classes.
API_CONSTANTS = {"MIGRATIONS": "The folder of the daemon's migrations."}


def api_reference() -> str:
    """Return docs/api.md: the public names by task, with parameters or fields and the first line of each docstring."""
    values = {name: getattr(waiaas_migrate, name) for name in waiaas_migrate.__all__ if name != "__version__"}
    sections = [
        api_section(title, introduction, {name: values.pop(name) for name in names.split()})
        for title, introduction, names in API_SECTIONS
    ]
    missing = [name for name, value in values.items() if not issubclass(value, BaseException)]
    assert not missing, f"add to API_SECTIONS: {missing}"
    errors = api_section(
        "Catch errors", "For causes and fixes, see [Errors](errors.md). Errors can be pickled.", values
    )
    modules = [
        api_section(f"`{one.__name__}`", first_line(one), {name: getattr(one, name) for name in one.__all__})
        for one in API_MODULES
    ]
    return "\n".join([API_INTRODUCTION, *sections, errors, *modules])


def api_section(title: str, introduction: str, values: dict[str, object]) -> str:
    """Return a section of docs/api.md with an item for each of ``values``."""
    items = [
        f"- `{name}{signature(value)}`: {first_line(value) if callable(value) else API_CONSTANTS[name]}"
        for name, value in values.items()
    ]
    return "\n".join([f"## {title}", "", *([introduction, ""] if introduction else []), *items, ""])


def signature(value: object) -> str:
    """Return a function's parameters and result, or a dataclass's fields, in parentheses."""
    if dataclasses.is_dataclass(value):
        return f"({', '.join(field.name for field in dataclasses.fields(value) if field.init)})"
    if not inspect.isfunction(value):
        return ""
    shown, is_after_star = [], False
    for one in inspect.signature(value).parameters.values():
        if one.kind is one.KEYWORD_ONLY and not is_after_star:
            shown.append("*")
            is_after_star = True
        star = "**" if one.kind is one.VAR_KEYWORD else ""
        shown.append(f"{star}{one.name}{default(one.default)}")
    result = inspect.signature(value).return_annotation
    return f"({', '.join(shown)})" + ("" if result == "None" else f" -> {result}")


def default(value: object) -> str:
    """Return the default of a parameter with its equals sign; "…" if it is more than a plain value."""
    if value is inspect.Parameter.empty:
        return ""
    return f"={value!r}" if value is None or isinstance(value, str | int | tuple) else "=…"


def first_line(value: object) -> str:
    """Return the first line of a docstring, as Markdown."""
    return re.sub(
        r":\w+:`~?([^`]+)`|``", lambda found: f"`{found[1]}`" if found[1] else "`", str(inspect.getdoc(value))
    ).splitlines()[0]


FINDINGS_INTRODUCTION = """\
# Findings of check and drift

Each finding has one of these codes, which stay the same from release to release. Choose where `check` shows findings:

- `waiaas-migrate check` prints text.
- `waiaas-migrate check --format github` annotates lines of a pull request in GitHub Actions.
- `waiaas-migrate check --format sarif > check.sarif` is for code scanning.
- `waiaas-migrate check --format junit > check.xml` is for GitLab and Jenkins.
- `waiaas-migrate check --format json` is for your own programs; see [JSON](cli.md#json).

`check` also reports the errors that [`lint`](lint.md) finds in schema.yaml, such as a misspelled type, unless you ignore
them. It exits with 1 unless all findings are for information.

In JSON, `severity` is `error`, `warning` or `info`; `file` is relative to the project's folder, and empty if there is none.
`subject` is `enum`, `schema`, `manifest`, `pragma`, `migration`, `hook` or `models`.

Problems that stop a command, such as a typo in schema.yaml, are reported in the same format, with the kind of the
[error](errors.md) as their code.

| code | meaning |
| --- | --- |
"""


def findings_reference() -> str:
    """Return docs/findings.md: each code of ``check`` and ``drift`` with its meaning."""
    return FINDINGS_INTRODUCTION + "".join(f"| `{code}` | {code.explanation} |\n" for code in FindingCode)


def schema_reference(page: str) -> str:
    """Return docs/schema-file.md with its tables of keys written from the keys' definitions."""
    for heading, form in (("## Top level", TOP), ("## Tables", TABLE), ("## Columns", COLUMN)):
        before, found, after = page.partition(f"\n{heading}\n")
        lead, _, rest = after.partition("| key |")
        below = rest.partition("\n\n")[2]
        page = f"{before}{found}{lead}{key_table(form)}\n{below}"
    return page


def key_table(form: Form) -> str:
    """Return a table of keys: each with its description, and an example if any key has one."""
    has_examples = any(key.example for key in form.keys.values())
    columns = ["key", "value", *(["example"] if has_examples else [])]
    rows = [
        [f"`{name}`", key.description, *([f"`{key.example}`"] if has_examples else [])]
        for name, key in form.keys.items()
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in (columns, ["---"] * len(columns), *rows))


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_reference(SCHEMA_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    (CHECKOUT / JSON_SCHEMA).write_text(json_schema_text(), encoding="utf-8")
    REFERENCE.write_text(reference(), encoding="utf-8")
    API.write_text(api_reference(), encoding="utf-8")
    FINDINGS.write_text(findings_reference(), encoding="utf-8")
    write_lint_pages()
