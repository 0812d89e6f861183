"""The documentation is complete, and its reference pages are up to date."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest

from tests.support.lint_pages import LINT, RULES, lint_reference, rule_pages
from tests.support.projects import CHECKOUT
from tests.support.reference_pages import (
    API,
    FINDINGS,
    REFERENCE,
    SCHEMA_FILE,
    api_reference,
    findings_reference,
    reference,
    schema_reference,
)
from waiaas_migrate import errors
from waiaas_migrate.cli.main import group
from waiaas_migrate.commands.findings import FindingCode
from waiaas_migrate.schema.hazards.hazard import DESTRUCTIVE, Code

DOCS = CHECKOUT / "docs"
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", CHECKOUT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def test_every_hazard_is_documented() -> None:
    """Each hazard has a heading in docs/hazards.md, in the right section, and no other code has one."""
    page = (DOCS / "hazards.md").read_text(encoding="utf-8")
    destructive, _, others = page.partition("## Rows may be refused")
    assert set(re.findall(r"^### (\w+)$", destructive, re.MULTILINE)) == set(DESTRUCTIVE)
    assert set(re.findall(r"^### (\w+)$", others, re.MULTILINE)) == set(Code) - DESTRUCTIVE


def test_the_command_reference_is_up_to_date() -> None:
    """docs/cli.md equals the commands' own help; ``python -m tests.support.reference_pages`` writes it."""
    assert REFERENCE.read_text(encoding="utf-8") == reference()


def test_every_finding_is_documented() -> None:
    """docs/findings.md has every code; ``python -m tests.support.reference_pages`` writes it."""
    assert all(f"`{code}`" in FINDINGS.read_text(encoding="utf-8") for code in FindingCode)
    assert FINDINGS.read_text(encoding="utf-8") == findings_reference()


def test_every_rule_of_lint_has_a_page() -> None:
    """docs/lint.md lists the rules, docs/lint has the page of each and no other; ``reference_pages`` writes them."""
    assert LINT.read_text(encoding="utf-8") == lint_reference()
    assert {path.name: path.read_text(encoding="utf-8") for path in RULES.iterdir()} == rule_pages()


def test_the_api_reference_is_up_to_date() -> None:
    """docs/api.md has every public name; ``python -m tests.support.reference_pages`` writes it."""
    assert API.read_text(encoding="utf-8") == api_reference()


@pytest.mark.parametrize("name", sorted(group.commands))
def test_every_option_is_documented(name: str) -> None:
    """Every command has a heading in docs/cli.md, with every spelling of its options below."""
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


def error_classes() -> list[str]:
    """Return the names of all error classes."""
    return [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.MigrateError) and value.__module__ == errors.__name__
    ]


@pytest.mark.parametrize("name", error_classes())
def test_every_error_is_documented(name: str) -> None:
    """docs/errors.md lists every error class under its base class, with its exit status."""
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    error = getattr(errors, name)
    indent = "  " * error.__mro__.index(errors.MigrateError)
    assert re.search(rf"^{indent}- `{name}` \({error.exit_code}\): ", page, re.MULTILINE)


def test_every_key_of_the_schema_file_is_documented() -> None:
    """docs/schema-file.md has every key; ``python -m tests.support.reference_pages`` writes its tables."""
    page = SCHEMA_FILE.read_text(encoding="utf-8")
    assert page == schema_reference(page)


def test_every_room_is_in_the_architecture() -> None:
    """docs/architecture.md has a row for each room of the package."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in (CHECKOUT / "waiaas_migrate").glob("*/__init__.py")]
    assert [room for room in rooms if f"| `{room}/` |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link leads to a file of the checkout, and to an existing heading if it names one."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        found = (page.parent / name) if name else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
