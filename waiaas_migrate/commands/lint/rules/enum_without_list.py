"""A column holds one of a few words, but accepts any text.

A column called status, state, kind or role takes its values from a list that only the application knows. Without a
list, a typo or another version of the application can write anything.

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

#: Columns that hold one of a few words, whatever the table is.
_STRONG = re.compile(r"(?:.*_)?(?:status|kind|role|mode|severity)\Z|state\Z")
#: Columns that often do; a default that is a word shows it.
_WEAK = re.compile(r"(?:.*_)?(?:type|state|level|direction|priority)\Z")
#: Words that show that others choose the values.
_OPEN = re.compile(
    r"(?:.*_)?(?:attestation|auth|billing|content|event|file|home|image|link|media|mime|notification|reaction|session|"
    r"ship|shipping|token)_\w+\Z"
)
#: Columns beside which `state` is a part of an address or of a login, and `type` that of a file.
_BESIDE_STATE = frozenset("city country zip zip_code postal_code region nonce code_verifier code_challenge".split())
_BESIDE_TYPE = frozenset("filename file_name blob mime_type".split())

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"'[A-Za-z][\w-]*'\Z")


def find(linted: Linted) -> Iterator[Found]:
    """Yield each such column without a CHECK or a foreign key."""
    roles_are_rows = any(_snake(table.name).endswith("roles") for table in linted.schema.tables)
    for table in linted.schema.tables:
        for column in table.columns:
            if not _is_enum(table, column) or _is_checked(table, column):
                continue
            if not (roles_are_rows and _snake(column.name).endswith("role")):
                what = "the column takes its values from a list, but accepts any text."
                yield Found(column_path(table.name, column.name), what, "Declare the list with `enum`.")


def _snake(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def _is_enum(table: Table, column: Column) -> bool:
    name, beside = _snake(column.name), {_snake(one.name) for one in table.columns}
    if affinity(column.type) != "TEXT" or column.generated is not None or _OPEN.match(name):
        return False
    if (name == "state" and beside & _BESIDE_STATE) or (name == "type" and beside & _BESIDE_TYPE):
        return False
    has_word = column.default is not None and _WORD.match(column.default.sql) is not None
    return _STRONG.match(name) is not None or (has_word and _WEAK.match(name) is not None)


def _is_checked(table: Table, column: Column) -> bool:
    name = fold(column.name)
    keys = [key.columns for key in table.foreign_keys]
    keys += [tuple(part.column or "" for part in key.parts) for key in (table.primary_key, *table.uniques) if key]
    return any((name,) == tuple(map(fold, key)) for key in keys) or any(
        name in fold(check.expression.sql) for check in table.checks
    )
