"""The rules of ``lint``, which are functions in the modules of ``rules``.

To add a rule, add a function with the decorator :func:`rule` there. It yields what it finds in a schema or a statement.
Its name in upper case is the code, and its docstring is its page in the documentation: a sentence about what is wrong,
then why, then what to do.
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
from waiaas_migrate.sqlite.reading.quoted_strings import Strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What the rules read: a schema, or a statement of a migration that was written by hand.

    Args:
        schema: the schema.
        pragmas: the PRAGMAs of schema.yaml, by folded name; None for a live database.
        strings: the words in double quotes that SQLite reads as text; schema.yaml can't have any.
        statement: the tokens of the statement, without comments.
        names: all names that the statement may refer to, folded.
    """

    schema: Schema = field(default_factory=Schema)
    pragmas: Mapping[str, str | int] | None = None
    strings: Strings = field(default_factory=dict)
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
    """One thing that a rule found: the keys of schema.yaml that lead to it, what is wrong, and the fix."""

    path: KeyPath
    what: str
    fix: str


Find: TypeAlias = Callable[[Linted], Iterator[Found]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: its code, its severity unless the project sets another, its documentation, and its examples."""

    code: str
    severity: Severity
    explanation: str
    bad: str
    good: str
    find: Find


def rule(severity: Severity, *, good: str, mistakes: Mapping[str, str]) -> Callable[[Find], Rule]:
    """Return a decorator that makes a function a rule.

    Args:
        severity: how bad its findings are.
        good: an example in which it finds nothing: a schema in YAML or SQL, or a statement.
        mistakes: texts in the example and what replaces each, to make an example in which it finds something.
    """
    good = bad = textwrap.dedent(good).strip() + "\n"
    for right, wrong in mistakes.items():
        bad = bad.replace(right, wrong)

    def make(find: Find) -> Rule:
        explanation = inspect.cleandoc(find.__doc__ or "")
        code = find.__name__.upper()
        return Rule(code=code, severity=severity, explanation=explanation, bad=bad, good=good, find=find)

    return make


#: An example for rules about foreign keys.
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
    """Return all rules, in the order of their codes."""
    names = [found.name for found in pkgutil.iter_modules(modules.__path__, f"{modules.__name__}.")]
    found = [one for name in names for one in vars(importlib.import_module(name)).values() if isinstance(one, Rule)]
    return tuple(sorted(found, key=lambda one: one.code))


def findings_of(linted: Linted, rules: Iterable[Rule]) -> Iterator[tuple[Finding, KeyPath]]:
    """Yield each finding of ``rules``, with the keys that lead to it."""
    for one in rules:
        for path, what, fix in one.find(linted):
            where = ".".join(path[1::2]) or path[0]
            subject = Subject.SCHEMA
            yield Finding(code=one.code, severity=one.severity, subject=subject, where=where, what=what, fix=fix), path


def explanations() -> dict[str, str]:
    """Return what each code of ``check`` and ``lint`` means."""
    hazards = dict.fromkeys(map(str, Code), "A hazard of a migration; docs/hazards.md explains it.")
    findings: dict[str, str] = {code: code.explanation for code in FindingCode}
    return {**hazards, **findings, **{one.code: one.explanation for one in all_rules()}}


def unknown_code(code: str) -> tuple[str, str] | None:
    """Return what is wrong with ``code``, and the fix; None if a rule or a hazard has this code."""
    known = {*(one.code for one in all_rules()), *Code, *RollbackFault}
    if code in known:
        return None
    return f"unknown rule `{code}`.", suggestion(code, known, f"Known rules: {listed(sorted(known))}.")


def path_to(table: str, *columns: str) -> KeyPath:
    """Return the keys that lead to a column; to its table if there is no column, or several."""
    return ("tables", table, "columns", *columns) if len(columns) == 1 else ("tables", table)
