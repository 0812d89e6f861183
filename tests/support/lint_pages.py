"""Write docs/lint.md and the pages of docs/lint from the rules of ``lint``."""

from __future__ import annotations

from tests.support.projects import CHECKOUT
from waiaas_migrate.commands.lint.rule import Rule, all_rules

LINT = CHECKOUT / "docs" / "lint.md"
RULES = CHECKOUT / "docs" / "lint"

INTRODUCTION = """\
# Lint a schema

`lint` reads schema.yaml and reports likely problems, such as a foreign key without an index:

```
waiaas-migrate lint
```

It exits with 1 if there is an error or a warning; `--severity warning` leaves out the rest. `lint DATABASE` reads the
schema of a database instead, which needs no schema.yaml.

## Report hazards in a pull request

`--since REF` also reports the [hazards](hazards.md) of migrations that the branch, tag or commit REF doesn't have. In
GitHub Actions, this annotates the lines of a pull request:

```
git fetch --depth 1 origin main
waiaas-migrate lint --since origin/main --format github
```

Hazards that delete data are errors. Others that stop `generate` are warnings. All others are for information. The
formats are those of [`check`](findings.md).

## Ignore a finding

In schema.yaml, write the code at the table or the column, or at the top for the whole file. Say why in a comment:

```yaml
version: 1
pragmas: {foreign_keys: ON}
tables:
  settings:
    lint: {ignore: [MISSING_PRIMARY_KEY]}  # has a single row
    columns:
      theme: text
```

In a migration, write a comment with the code and the reason, then run `waiaas-migrate record`:

```sql
-- lint ignore DROP_COLUMN: nothing has read it since 2.3
```

## Choose rules

In pyproject.toml:

```toml
[tool.waiaas-migrate.lint]
select = ["FOREIGN_KEY_WITHOUT_INDEX", "REDUNDANT_INDEX"]  # only these; default: all
ignore = ["RESERVED_NAME"]                                 # not these
severity = {REDUNDANT_INDEX = "error"}                     # error, warning or info
```

## Rules

| code | severity | finds |
| --- | --- | --- |
"""


def lint_reference() -> str:
    """Return docs/lint.md: how to use ``lint``, and a table of its rules."""
    rows = [
        f"| [`{rule.code}`](lint/{rule.code.lower()}.md) | {rule.severity} | {rule.explanation.splitlines()[0]} |\n"
        for rule in all_rules()
    ]
    return INTRODUCTION + "".join(rows)


def rule_pages() -> dict[str, str]:
    """Return the page of each rule in docs/lint, by its file's name."""
    return {f"{rule.code.lower()}.md": rule_page(rule) for rule in all_rules()}


def rule_page(rule: Rule) -> str:
    """Return the page of a rule, made of its docstring and examples."""
    examples = [
        f"{title}:\n\n```{'yaml' if example.startswith(('pragmas', 'tables')) else 'sql'}\n{example}```\n"
        for title, example in (("Finds", rule.bad), ("Accepts", rule.good))
    ]
    footer = f"Severity: {rule.severity}. [How to ignore it](../lint.md#ignore-a-finding).\n"
    return "\n".join([f"# {rule.code}", "", rule.explanation, "", *examples, footer])


def write_lint_pages() -> None:
    """Write all of these pages, and delete those of rules that are gone."""
    LINT.write_text(lint_reference(), encoding="utf-8")
    RULES.mkdir(exist_ok=True)
    pages = rule_pages()
    for path in RULES.iterdir():
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (RULES / name).write_text(text, encoding="utf-8")
