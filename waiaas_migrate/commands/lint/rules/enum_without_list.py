"""A column holds one of a few words, but accepts any text.

A column called status, state, kind or role takes its values from a list that only the application knows. A typo, or a
version of the application with other words, can write anything.

Declare the list with `enum`: the name of the application's enum, or the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, column_path
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold

SEVERITY = Severity.WARNING

BAD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      status: {type: text, nullable: false, default: open}
"""

GOOD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      status: {type: text, nullable: false, default: open, enum: [open, done]}
"""

_NAME = re.compile(r"(?:.*_)?(?:status|state|kind|type|role|level|mode|direction|severity|priority)\Z")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such column without a CHECK or a foreign key."""
    for table in linted.schema.tables:
        for column in table.columns:
            if _is_enum(column) and not _is_checked(table, column):
                what = "the column takes its values from a list, but accepts any text."
                yield Found(column_path(table.name, column.name), what, "Declare the list with `enum`.")


def _is_enum(column: Column) -> bool:
    name = _WORD.sub("_", column.name).lower()
    return affinity(column.type) == "TEXT" and column.generated is None and _NAME.match(name) is not None


def _is_checked(table: Table, column: Column) -> bool:
    name = fold(column.name)
    return any(name in map(fold, key.columns) for key in table.foreign_keys) or any(
        name in fold(check.expression.sql) for check in table.checks
    )
