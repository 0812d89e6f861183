"""A migration deletes every row of a table.

`DELETE` without `WHERE` is rarely intended in a migration. The schema is the same before and after, so nothing else
shows that all rows are gone.

Write the condition. If you mean every row, write `WHERE true`, and say why in a comment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found
from waiaas_migrate.sqlite.reading.cursor import Cursor
from waiaas_migrate.sqlite.reading.grammar import Token

SEVERITY = Severity.ERROR

BAD = "DELETE FROM sessions;\n"

GOOD = "DELETE FROM sessions WHERE expires_at < unixepoch();\n"


def find_in_statement(tokens: Sequence[Token], names: Collection[str]) -> Iterator[Found]:  # noqa: ARG001 — one interface
    """Yield the table of such a statement."""
    cursor = Cursor(tokens)
    if not cursor.accept("DELETE", "FROM"):
        return
    table = cursor.name()
    if not any(token.word in ("WHERE", "LIMIT") for token in cursor.rest()):
        yield Found(
            ("tables", table), f"deletes every row of {table}.", "Write a WHERE; if all are meant, `WHERE true`."
        )
