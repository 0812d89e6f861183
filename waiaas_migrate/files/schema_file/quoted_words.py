"""Find words in double quotes that name nothing; SQLite reads such words as strings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.problem_report import Report, suggestion
from waiaas_migrate.files.schema_file.locate import Steps, texts
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading.quoted_strings import double_quoted_words

_SECTIONS = {"tables": "table", "views": "view", "triggers": "trigger"}
#: The keys of a table or column that hold expressions.
_OF_TABLES = frozenset({"checks", "indexes"})
_OF_COLUMNS = frozenset({"check", "generated"})

Owner = tuple[str, str]


def quoted_word_problems(
    path: Path, *, root: Path, schema: Schema, strings: Mapping[Owner, frozenset[str]]
) -> tuple[Problem, ...]:
    """Return a problem for each word in double quotes that SQLite reads as a string.

    The problem's place is the expression that contains the word. ``schema`` is the content of the file at ``path``;
    ``strings`` are these words by the kind and folded name of their table, view or trigger.
    """
    report = Report()
    for steps, origin, text in texts(path, root=root):
        for word in sorted(set(double_quoted_words(text)) & strings.get(_owner(steps), frozenset())):
            literal = quote_literal(word)
            what = f'"{word}" in double quotes names nothing here, so SQLite would read it as the text {literal}.'
            report.add(origin, what, f"{_fix(word, schema, steps)} If you mean text, write {literal} in single quotes.")
    return report.problems()


def _owner(steps: Steps) -> Owner:
    """Return the kind and folded name of the SQL's object; empty if the SQL can't refer to columns."""
    kind = _SECTIONS.get(steps[0], "") if len(steps) > 1 else ""
    if kind == "table" and not (steps[2] in _OF_TABLES or (len(steps) > 4 and steps[4] in _OF_COLUMNS)):
        return "", ""
    return (kind, fold(steps[1])) if kind else ("", "")


def _fix(word: str, schema: Schema, steps: Steps) -> str:
    """Return the fix, which suggests the column that ``word`` may mean."""
    own = [table for table in schema.tables if steps[0] == "tables" and fold(table.name) == fold(steps[1])]
    columns = [column for table in own or schema.tables for column in table.columns]
    renamed = {fold(c.hints.renamed_from): c.name for c in columns if c.hints.renamed_from is not None}
    if new := renamed.get(fold(word)):
        return f"Write `{new}`, the column's new name."
    return suggestion(word, [column.name for column in columns], "Correct the name.")
