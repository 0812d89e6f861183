"""Define and run the rules of ``lint``. Each rule is a function in a module of the package ``rules``.

To add a rule, add a function with the decorator :func:`rule`. The function yields the weaknesses that it finds in a
schema or in a statement. The function's name in upper case is the code of the rule. The docstring becomes a page of the
documentation: the first sentence names the weakness, the next paragraph explains its effect, and the last one the fix.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, TypeAlias

from waiaas_migrate.authoring.faulty_rollbacks import RollbackFault
from waiaas_migrate.commands.findings import Finding, FindingCode, Severity, Subject
from waiaas_migrate.commands.lint import rules as modules
from waiaas_migrate.files.problem_report import listed, suggestion
from waiaas_migrate.files.schema_file.locate import KeyPath
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.schema.model import Column, ForeignKey, Schema, Table
from waiaas_migrate.sqlite.reading.grammar import Token
from waiaas_migrate.sqlite.reading.quoted_strings import QuotedStrings


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """The input of a rule: a schema, or one statement of a hand-written migration.

    Args:
        schema: the schema; empty for a statement.
        pragmas: the PRAGMAs of schema.yaml, by name in lower case; None for a live database or a statement.
        strings: the words in double quotes that SQLite reads as text, by object. Only a live database can have them.
        statement: the tokens of the statement, without comments; empty for a schema.
        names: the names, in lower case, of everything that the statement can refer to.
    """

    schema: Schema = field(default_factory=Schema)
    pragmas: Mapping[str, str | int] | None = None
    strings: QuotedStrings = field(default_factory=dict)
    statement: Sequence[Token] = ()
    names: Collection[str] = ()

    def columns(self) -> Iterator[tuple[Table, Column]]:
        """Yield each column with its table."""
        return ((table, column) for table in self.schema.tables for column in table.columns)

    def foreign_keys(self) -> Iterator[tuple[Table, ForeignKey]]:
        """Yield each foreign key with its table."""
        return ((table, key) for table in self.schema.tables for key in table.foreign_keys)

    def sets(self, pragma: str) -> bool:
        """Return whether schema.yaml sets ``pragma`` to ON."""
        return str((self.pragmas or {}).get(pragma, "")).lower() in ("on", "1", "true", "yes")


class Found(NamedTuple):
    """A weakness that a rule found: the keys of schema.yaml that lead to it, what is wrong, and the fix."""

    path: KeyPath
    what: str
    fix: str


RuleFunction: TypeAlias = Callable[[Linted], Iterator[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: its code, its severity, its documentation, an example with a finding, one without, and its function."""

    code: str
    severity: Severity
    explanation: str
    bad: str
    good: str
    find: RuleFunction


def rule(severity: Severity, *, good: str, mistakes: Mapping[str, str]) -> Callable[[RuleFunction], Rule]:
    """Return a decorator that makes a function a rule.

    Args:
        severity: the severity of its findings; a project can set another one.
        good: an example in which the rule finds nothing: a schema in YAML or SQL, or a statement.
        mistakes: texts in ``good`` and their replacements, which make an example in which the rule finds something.
    """
    good = bad = textwrap.dedent(good).strip() + "\n"
    for right, wrong in mistakes.items():
        bad = bad.replace(right, wrong)

    def decorate(find: RuleFunction) -> Rule:
        explanation = inspect.cleandoc(find.__doc__ or "")
        code = find.__name__.upper()
        return Rule(code=code, severity=severity, explanation=explanation, bad=bad, good=good, find=find)

    return decorate


#: The example of several rules about foreign keys.
AUTHORS_AND_BOOKS = """\
tables:
  authors:
    columns:
      id: {type: integer, primary_key: true}
  books:
    columns:
      id: {type: integer, primary_key: true}
      author_id: {type: integer, references: authors.id}
    indexes:
      idx_books_author_id: [author_id]
"""


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return all rules in the package ``rules``, in the order of their codes."""
    names = [module.name for module in pkgutil.iter_modules(modules.__path__, f"{modules.__name__}.")]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    return tuple(sorted((value for value in values if isinstance(value, Rule)), key=lambda found: found.code))


def run_rules(rules: Iterable[Rule], linted: Linted) -> Iterator[tuple[Finding, KeyPath]]:
    """Run ``rules`` on ``linted``, and yield each finding with the keys of schema.yaml that lead to it."""
    for one in rules:
        for path, what, fix in one.find(linted):
            where = ".".join(path[1::2]) or path[0]
            subject = Subject.SCHEMA
            yield Finding(code=one.code, severity=one.severity, subject=subject, where=where, what=what, fix=fix), path


def explanations() -> dict[str, str]:
    """Return an explanation of each code that ``check``, ``drift`` and ``lint`` report."""
    hazards = dict.fromkeys(map(str, Code), "A hazard of a migration; docs/hazards.md explains it.")
    findings: dict[str, str] = {code: code.explanation for code in FindingCode}
    return {**hazards, **findings, **{one.code: one.explanation for one in all_rules()}}


def unknown_code(code: str) -> tuple[str, str] | None:
    """Return a problem and its fix if no rule, hazard or faulty rollback has the code ``code``, else None."""
    known = {*(one.code for one in all_rules()), *Code, *RollbackFault}
    if code in known:
        return None
    return f"unknown rule `{code}`.", suggestion(code, known, f"Known rules: {listed(sorted(known))}.")


def path_to(table: str, *columns: str) -> KeyPath:
    """Return the keys in schema.yaml of a column, or of its table if ``columns`` doesn't have exactly one name."""
    return ("tables", table, "columns", *columns) if len(columns) == 1 else ("tables", table)
