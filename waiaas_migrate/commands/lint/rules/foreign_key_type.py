"""A foreign key and the column that it refers to store values differently.

SQLite compares text and numbers as different: `'1'` is not `1`. It converts the values of a foreign key only to check
it; a join of the two columns may find nothing, or can't use the index. See [type
affinity](https://www.sqlite.org/datatype3.html#type_affinity).

Give both columns the same type.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, columns_path
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.foreign_keys import targets_of
from waiaas_migrate.schema.model import Column, Table
from waiaas_migrate.schema.names import fold

SEVERITY = Severity.WARNING

BAD = """\
tables:
  users:
    columns:
      id: {type: integer, primary_key: true}
  orders:
    columns:
      id: {type: integer, primary_key: true}
      user_id: {type: text, references: users.id}
    indexes:
      idx_orders_user_id: [user_id]
"""

GOOD = BAD.replace("{type: text, references", "{type: integer, references")


def find(linted: Linted) -> Iterator[Found]:
    """Yield each column of a foreign key whose affinity isn't that of its parent."""
    tables = linted.tables
    for table in linted.schema.tables:
        for key in table.foreign_keys:
            parent = tables.get(fold(key.table))
            if parent is None:
                continue
            for own, other in zip(key.columns, targets_of(parent, key), strict=False):
                child, target = _column(table, own), _column(parent, other)
                if child is not None and target is not None and _differ(table, child, parent, target):
                    what = (
                        f"the type {child.type or '(none)'} stores values differently than "
                        f"{target.type or '(none)'} of {parent.name}.{target.name}."
                    )
                    yield Found(columns_path(table.name, (child.name,)), what, "Give both columns the same type.")


def _column(table: Table, name: str) -> Column | None:
    return next((column for column in table.columns if fold(column.name) == fold(name)), None)


def _differ(table: Table, child: Column, parent: Table, target: Column) -> bool:
    own, other = affinity(child.type, strict=table.strict), affinity(target.type, strict=parent.strict)
    return own != other and {own, other} != {"NUMERIC", "REAL"}
