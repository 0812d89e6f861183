"""The context of a change: the new schema and all changes of the migration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from waiaas_migrate.schema import changes as c
from waiaas_migrate.schema.model import Check, Schema, SqlText, Table
from waiaas_migrate.schema.names import fold

ChangeT = TypeVar("ChangeT", bound=c.Change)


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardContext:
    """The schema after a migration, its tables, and all changes of the migration.

    ``tables`` are the tables of ``new`` by folded name. ``satisfied`` are pairs of the folded name of a table and
    a CHECK that every row passes, because the migration sets all values that the CHECK reads.
    """

    new: Schema
    tables: Mapping[str, Table]
    changes: Sequence[c.Change]
    satisfied: Collection[tuple[str, Check]]

    def table(self, name: str) -> Table:
        """Return the table ``name`` as it is after the changes."""
        return self.tables[fold(name)]

    def of_kind(self, kind: type[ChangeT], table: str) -> Iterator[ChangeT]:
        """Yield the changes of one kind that alter ``table``."""
        return (change for change in self.changes if isinstance(change, kind) and c.table_of(change) == table)

    def is_satisfied(self, change: c.AddCheck) -> bool:
        """Return whether every row passes a new CHECK; False if in doubt."""
        if (fold(change.table), change.new) not in self.satisfied:
            return False
        modified = self.of_kind(c.ModifyColumn, change.table)
        return not any(names_column(change.new.expression, fold(other.new.name)) for other in modified)


def names_column(text: SqlText | None, column: str) -> bool:
    """Return whether ``text`` contains the word ``column``, a folded name."""
    return text is not None and re.search(rf"(?<!\w){re.escape(column)}(?!\w)", fold(text.sql)) is not None
