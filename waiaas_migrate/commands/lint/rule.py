"""The rules of ``lint``, which are the modules of ``rules``.

To add a rule, add a module there. Its name in upper case is the code. It has:

- a docstring, which is its page in the documentation: a sentence about what is wrong, then why, then what to do;
- ``SEVERITY``;
- ``BAD`` and ``GOOD``: schemas, in YAML or SQL, with which the rule finds something and nothing;
- ``find``: a generator of what is wrong in a schema, or ``find_in_statement``, of what is wrong in a statement of a
  migration that was written by hand; the examples are then such statements.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import NamedTuple

from waiaas_migrate.authoring.faulty_rollbacks import RollbackFault
from waiaas_migrate.commands.findings import EXPLANATIONS, Severity
from waiaas_migrate.commands.lint import rules
from waiaas_migrate.files.problem_report import listed, suggestion
from waiaas_migrate.schema.hazards.hazard import Code
from waiaas_migrate.schema.model import Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.grammar import Token
from waiaas_migrate.sqlite.reading.quoted_strings import Strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What the rules read.

    Args:
        schema: the schema.
        pragmas: the PRAGMAs of schema.yaml, by folded name; None for a live database.
        strings: the words in double quotes that SQLite reads as text; schema.yaml can't have any.
    """

    schema: Schema
    pragmas: Mapping[str, str | int] | None = None
    strings: Strings = field(default_factory=dict)

    @property
    def tables(self) -> Mapping[str, Table]:
        """The tables by folded name."""
        return self.schema.by_name()


class Found(NamedTuple):
    """One thing that a rule found: the keys of schema.yaml that lead to it, and two sentences."""

    path: tuple[str, ...]
    what: str
    fix: str

    @property
    def where(self) -> str:
        """The name of the table, column, index or other object, or of the section."""
        return ".".join(self.path[1::2]) or self.path[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: its code, its severity unless the project sets another, its documentation, and its examples.

    ``find_in_statement`` takes the tokens of a statement without comments, and all names that it may refer to, folded.
    """

    code: str
    severity: Severity
    explanation: str
    bad: str
    good: str
    find: Callable[[Linted], Iterator[Found]] = lambda _linted: iter(())
    find_in_statement: Callable[[Sequence[Token], Collection[str]], Iterator[Found]] = lambda _tokens, _names: iter(())

    @property
    def summary(self) -> str:
        """The first sentence of the explanation."""
        return self.explanation.partition("\n")[0]


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return all rules, in the order of their codes."""
    names = sorted(found.name for found in pkgutil.iter_modules(rules.__path__))
    return tuple(_rule(importlib.import_module(f"{rules.__name__}.{name}")) for name in names)


def explanations() -> dict[str, str]:
    """Return what each code of ``check`` and ``lint`` means."""
    hazards = dict.fromkeys(map(str, Code), "A hazard of a migration; docs/hazards.md explains it.")
    return {**hazards, **EXPLANATIONS, **{rule.code: rule.explanation for rule in all_rules()}}


def known_codes() -> frozenset[str]:
    """Return every code that can be ignored: those of rules, hazards and rollbacks."""
    return frozenset((*(rule.code for rule in all_rules()), *Code, *RollbackFault))


def unknown_code(code: str) -> tuple[str, str] | None:
    """Return the problem of a code that can't be ignored, and its fix; None if it can be."""
    known = known_codes()
    if code in known:
        return None
    return f"unknown rule `{code}`.", suggestion(code, known, f"Known rules: {listed(sorted(known))}.")


def _rule(module: ModuleType) -> Rule:
    return Rule(
        code=module.__name__.rpartition(".")[2].upper(),
        severity=module.SEVERITY,
        explanation=inspect.cleandoc(module.__doc__ or ""),
        bad=module.BAD,
        good=module.GOOD,
        **{name: getattr(module, name) for name in ("find", "find_in_statement") if hasattr(module, name)},
    )


def column_path(table: str, column: str) -> tuple[str, ...]:
    """Return the keys that lead to a column."""
    return "tables", table, "columns", column


def columns_path(table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys that lead to a column, or to its table if there are several columns."""
    return column_path(table, columns[0]) if len(columns) == 1 else ("tables", table)


def folded(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``names`` in the form in which they are compared."""
    return tuple(map(fold, names))
