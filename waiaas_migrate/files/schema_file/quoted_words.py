"""Report double-quoted words that SQLite would read as text, not as names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.problem_report import Report, suggestion
from waiaas_migrate.files.schema_file.locate import KeyPath, text_values
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading.quoted_strings import double_quoted_words

_SECTIONS = {"tables": "table", "views": "view", "triggers": "trigger"}
#: The keys of a table, and of a column, that hold expressions.
_TABLE_KEYS = frozenset({"checks", "indexes"})
_COLUMN_KEYS = frozenset({"check", "generated"})

#: The kind of a table, view or trigger, and its name in lower case.
Owner = tuple[str, str]


def quoted_word_problems(
    path: Path, *, root: Path, schema: Schema, strings: Mapping[Owner, frozenset[str]]
) -> tuple[Problem, ...]:
    """Return a problem for each word in double quotes that SQLite reads as text.

    ``strings`` has the words that SQLite reads as text, by the table, view or trigger that contains them.
    """
    report = Report()
    for keys, origin, text in text_values(path, root=root):
        for word in sorted(set(double_quoted_words(text)) & strings.get(_owner(keys), frozenset())):
            literal = quote_literal(word)
            what = f'"{word}" in double quotes names nothing here, so SQLite would read it as the text {literal}.'
            report.add(origin, what, f"{_fix(word, schema, keys)} If you mean text, write {literal} in single quotes.")
    return report.problems()


def _owner(keys: KeyPath) -> Owner:
    """Return the table, view or trigger with the SQL at ``keys``; two empty texts if there is no SQL."""
    kind = _SECTIONS.get(keys[0], "") if len(keys) > 1 else ""
    if kind == "table" and not (keys[2] in _TABLE_KEYS or (len(keys) > 4 and keys[4] in _COLUMN_KEYS)):
        return "", ""
    return (kind, fold(keys[1])) if kind else ("", "")


def _fix(word: str, schema: Schema, keys: KeyPath) -> str:
    """Return the fix: the name of the column that ``word`` may mean."""
    owner = [table for table in schema.tables if keys[0] == "tables" and fold(table.name) == fold(keys[1])]
    columns = [column for table in owner or schema.tables for column in table.columns]
    new_names = {fold(c.hints.renamed_from): c.name for c in columns if c.hints.renamed_from is not None}
    if new := new_names.get(fold(word)):
        return f"Write `{new}`, the column's new name."
    return suggestion(word, [column.name for column in columns], "Correct the name.")
