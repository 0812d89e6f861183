"""A foreign key refers to something that SQLite can't check.

If the parent table is missing, or its columns are neither its primary key nor unique, every insert into the table
fails with "foreign key mismatch" or "no such table" once `PRAGMA foreign_keys` is ON. While it is OFF, nothing is
checked. See [Required and suggested indexes](https://www.sqlite.org/foreignkeys.html#fk_indexes).

Refer to a primary key, or add a UNIQUE constraint on the columns. schema.yaml can have such a key only if it says
`external`, so the rule finds something only in databases.
"""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, columns_path
from waiaas_migrate.schema.foreign_keys import Fault, faulty_keys

SEVERITY = Severity.ERROR

BAD = """\
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer TEXT NOT NULL REFERENCES users (name));
CREATE INDEX idx_orders_buyer ON orders (buyer);
"""

GOOD = """\
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer TEXT NOT NULL REFERENCES users (name));
CREATE INDEX idx_orders_buyer ON orders (buyer);
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each foreign key that can't be enforced; schema.yaml has said that it is meant."""
    if linted.pragmas is not None:
        return
    for table, key, wrong in faulty_keys(linted.schema):
        target = f"{key.table} ({', '.join(key.targets)})" if key.targets else f"the primary key of {key.table}"
        if wrong is Fault.MISSING:
            what, fix = (
                f"the foreign key refers to {key.table}, which does not exist.",
                "Correct the name, or drop the key.",
            )
        else:
            what, fix = (
                f"the foreign key refers to {target}, which is not unique.",
                "Add UNIQUE, or refer to the primary key.",
            )
        yield Found(columns_path(table, key.columns), what, fix)
