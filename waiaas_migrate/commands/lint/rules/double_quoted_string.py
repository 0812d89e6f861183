"""A string literal is in double quotes.

In SQL, double quotes are for names. SQLite reads `"open"` as text only if nothing has that name. Once somebody adds a
column `open`, the text silently becomes that column. Some builds of SQLite refuse such text altogether. See
[Double-quoted string literals are
accepted](https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted).

Write text in single quotes. schema.yaml and its migrations can't have such text: the tool refuses it or writes it in
single quotes. So the rule finds something only in databases.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_literal

SEVERITY = Severity.ERROR

BAD = """\
CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE VIEW open_tasks AS SELECT id FROM tasks WHERE title = "open";
"""

GOOD = """\
CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE VIEW open_tasks AS SELECT id FROM tasks WHERE title = 'open';
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each object that has such text."""
    names = {fold(name): name for name in linted.schema.names}
    for (kind, name), words in sorted(linted.strings.items()):
        spelled = ", ".join(f'"{word}"' for word in sorted(words))
        literals = ", ".join(quote_literal(word) for word in sorted(words))
        what = f"{spelled} names nothing here, so SQLite reads it as text."
        yield Found((f"{kind}s", names.get(name, name)), what, f"Write {literals} in single quotes.")
