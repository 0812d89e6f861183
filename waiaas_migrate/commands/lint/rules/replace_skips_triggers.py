"""A constraint replaces rows without running the table's DELETE triggers.

With ON CONFLICT REPLACE, SQLite deletes the rows that are in the way. DELETE triggers of the table run for them only
if `PRAGMA recursive_triggers` is ON, which it isn't by default. An audit log, or a counter kept by a trigger, is then
wrong. See [ON CONFLICT](https://www.sqlite.org/lang_conflict.html).

Remove `on_conflict` and write an upsert, `INSERT … ON CONFLICT … DO UPDATE`, or set `recursive_triggers: ON` in
`pragmas`.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted
from waiaas_migrate.schema.model import Conflict, Table
from waiaas_migrate.schema.names import fold

SEVERITY = Severity.WARNING

BAD = """\
tables:
  users:
    columns:
      id: {type: integer, primary_key: true}
      name: {type: text, nullable: false, unique: {on_conflict: replace}}
  deleted_users:
    columns:
      id: {type: integer, primary_key: true}
triggers:
  log_deleted_user: |
    CREATE TRIGGER log_deleted_user AFTER DELETE ON users
    BEGIN INSERT INTO deleted_users (id) VALUES (old.id); END
"""

GOOD = BAD.replace("unique: {on_conflict: replace}", "unique: true")

_ON = frozenset({"on", "1", "true", "yes"})


def find(linted: Linted) -> Iterator[Found]:
    """Yield each table with such a constraint and such a trigger."""
    pragmas = linted.pragmas or {}
    if str(pragmas.get("recursive_triggers", "")).lower() in _ON:
        return
    for table in linted.schema.tables:
        names = [
            trigger.name
            for trigger in linted.schema.triggers
            if fold(trigger.table) == fold(table.name) and trigger.event == "DELETE"
        ]
        if names and _replaces(table):
            what = f"ON CONFLICT REPLACE deletes rows without running the trigger {', '.join(names)}."
            fix = "Remove `on_conflict: replace`, or set `recursive_triggers: ON` in `pragmas`."
            yield Found(("tables", table.name), what, fix)


def _replaces(table: Table) -> bool:
    keys = [one.on_conflict for one in (table.primary_key, *table.uniques) if one is not None]
    return Conflict.REPLACE in keys
