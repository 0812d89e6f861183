"""Words in double quotes that name nothing, found in schema.yaml: SQLite would take them for text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from waiaas_migrate.errors import Problem
from waiaas_migrate.files.problem_report import Report, suggestion
from waiaas_migrate.files.schema_file.locate import Steps, texts
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.reading.quoted_strings import double_quoted

_SECTIONS = {"tables": "table", "views": "view", "triggers": "trigger"}
#: Where a table has expressions: below these keys of its own, or these of a column.
_OF_TABLES = frozenset({"checks", "indexes"})
_OF_COLUMNS = frozenset({"check", "generated"})

Owner = tuple[str, str]


def quoted_word_problems(
    path: Path, *, root: Path, schema: Schema, strings: Mapping[Owner, frozenset[str]]
) -> tuple[Problem, ...]:
    """A problem for each word in double quotes that is a string, at the expression that holds it.

    Args:
        path: The schema.yaml.
        root: The project's folder.
        schema: What the file says.
        strings: The words by the kind and folded name of the table, view or trigger.
    """
    report = Report()
    for steps, origin, text in texts(path, root=root):
        for word in sorted(set(double_quoted(text)) & strings.get(_owner(steps), frozenset())):
            report.add(origin, *_said_of(word, *_names(schema, steps)))
    return report.problems()


def _said_of(word: str, columns: tuple[str, ...], renamed: Mapping[str, str]) -> tuple[str, str]:
    """What is wrong with ``word``, and what to do; ``renamed`` has new names by old ones."""
    text = "'" + word.replace("'", "''") + "'"
    what = f'"{word}" in double quotes names nothing here, so SQLite would take it for the text {text}.'
    new = renamed.get(fold(word))
    fix = f"Write `{new}`, the column's new name." if new else suggestion(word, columns, "Correct the name.")
    return what, f"{fix} If you mean text, write {text} in single quotes."


def _owner(steps: Steps) -> Owner:
    """The kind and folded name of what the text belongs to, where it is SQL that may name columns."""
    kind = _SECTIONS.get(steps[0], "") if len(steps) > 1 else ""
    if kind == "table" and not (steps[2] in _OF_TABLES or (len(steps) > 4 and steps[4] in _OF_COLUMNS)):
        return "", ""
    return (kind, fold(steps[1])) if kind else ("", "")


def _names(schema: Schema, steps: Steps) -> tuple[tuple[str, ...], dict[str, str]]:
    """The columns that a word may mean, and the new names of those that were renamed."""
    own = [table for table in schema.tables if steps[0] == "tables" and fold(table.name) == fold(steps[1])]
    columns = [column for table in own or schema.tables for column in table.columns]
    renamed = {fold(c.hints.renamed_from): c.name for c in columns if c.hints.renamed_from is not None}
    return tuple(column.name for column in columns), renamed
