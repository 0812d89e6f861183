"""Foreign keys are declared, but not enforced.

SQLite checks foreign keys only on connections that have set `PRAGMA foreign_keys = ON`; the default is OFF. See
[Enabling foreign key support](https://www.sqlite.org/foreignkeys.html#fk_enable).

Set `foreign_keys: ON` in `pragmas` of schema.yaml, so that `open_database` and `connect` set it.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted

SEVERITY = Severity.WARNING

_TABLES = """\
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

BAD = f"""\
pragmas:
  journal_mode: WAL
{_TABLES}"""

GOOD = f"""\
pragmas:
  journal_mode: WAL
  foreign_keys: ON
{_TABLES}"""

_ON = frozenset({"on", "1", "true", "yes"})


def find(linted: Linted) -> Iterator[Found]:
    """Yield one finding if schema.yaml has foreign keys and doesn't enforce them."""
    if linted.pragmas is None or not any(table.foreign_keys for table in linted.schema.tables):
        return
    if str(linted.pragmas.get("foreign_keys", "")).lower() not in _ON:
        fix = "Set `foreign_keys: ON` in `pragmas`."
        yield Found(("pragmas",), "foreign keys are declared, but not enforced.", fix)
