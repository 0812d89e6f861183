"""Rules about foreign keys."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import AUTHORS_AND_BOOKS, Found, Linted, path_to, rule
from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.foreign_keys import Fault, faulty_keys, targets_of
from waiaas_migrate.schema.model import Action, Column, ForeignKey
from waiaas_migrate.schema.names import fold


@rule(
    Severity.WARNING,
    good=AUTHORS_AND_BOOKS,
    mistakes={
        "    indexes:": "    foreign_keys:\n"
        "      - {columns: [author_id], references: {table: authors, columns: [id]}, on_delete: cascade}\n"
        "    indexes:"
    },
)
def duplicate_foreign_key(linted: Linted) -> Iterator[Found]:
    """Two foreign keys of a table are duplicates.

    SQLite checks both on every write. If their actions differ, their order decides what happens to a row.

    Remove one of them.
    """
    tables = linted.schema.by_name()
    seen = set()
    for table, key in linted.foreign_keys():
        targets = targets_of(tables.get(fold(key.table)), key)
        pairs = frozenset(zip(map(fold, key.columns), map(fold, targets), strict=False))
        meaning = (table.name, fold(key.table), pairs)
        if meaning in seen:
            what = f"another foreign key already refers to {key.table} from {', '.join(key.columns)}."
            yield Found(path_to(table.name, *key.columns), what, "Remove one of the two.")
        seen.add(meaning)


@rule(
    Severity.WARNING,
    good="""
    tables:
      users:
        columns:
          id: {type: integer, primary_key: true}
      orders:
        columns:
          id: {type: integer, primary_key: true}
          user_id: {type: integer, references: users.id}
        indexes:
          idx_orders_user_id: [user_id]
    """,
    mistakes={"type: integer, references": "type: text, references"},
)
def foreign_key_type(linted: Linted) -> Iterator[Found]:
    """A foreign key and the column that it refers to store values differently.

    SQLite treats text and numbers as different: `'1'` does not equal `1`. It converts the values when it checks the
    foreign key, but a join of the two columns may find nothing, or may be unable to use the index. See [type
    affinity](https://www.sqlite.org/datatype3.html#type_affinity).

    Give both columns the same type.
    """
    tables = linted.schema.by_name()
    for table, key in linted.foreign_keys():
        parent = tables.get(fold(key.table))
        if parent is None:
            continue
        for name, target_name in zip(key.columns, targets_of(parent, key), strict=False):
            child, target = table.column(name), parent.column(target_name)
            if child is None or target is None:
                continue
            stored = {affinity(child.type, strict=table.strict), affinity(target.type, strict=parent.strict)}
            if len(stored) > 1 and stored != {"NUMERIC", "REAL"}:
                what = (
                    f"the type {child.type or '(none)'} stores values differently than "
                    f"{target.type or '(none)'} of {parent.name}.{target.name}."
                )
                yield Found(path_to(table.name, child.name), what, "Give both columns the same type.")


@rule(
    Severity.WARNING,
    good="pragmas:\n  journal_mode: WAL\n  foreign_keys: ON\n" + AUTHORS_AND_BOOKS,
    mistakes={"  foreign_keys: ON\n": ""},
)
def foreign_keys_off(linted: Linted) -> Iterator[Found]:
    """Foreign keys are declared, but not enforced.

    SQLite checks foreign keys only on connections that have set `PRAGMA foreign_keys = ON`; the default is OFF. See
    [Enabling foreign key support](https://www.sqlite.org/foreignkeys.html#fk_enable).

    Set `foreign_keys: ON` in `pragmas` of schema.yaml, so that `open_database` and `connect` set it.
    """
    is_schema_file = linted.pragmas is not None
    if is_schema_file and any(linted.foreign_keys()) and not linted.sets("foreign_keys"):
        fix = "Set `foreign_keys: ON` in `pragmas`."
        yield Found(("pragmas",), "foreign keys are declared, but not enforced.", fix)


@rule(
    Severity.ERROR,
    good=AUTHORS_AND_BOOKS.replace("authors.id", "{table: authors, on_delete: set null}"),
    mistakes={"references:": "nullable: false, references:"},
)
def set_null_on_not_null(linted: Linted) -> Iterator[Found]:
    """A foreign key sets a NOT NULL column to NULL.

    With ON DELETE SET NULL, deleting the parent sets the columns of the key to NULL. If one of them is NOT NULL, the
    delete fails instead. ON UPDATE SET NULL fails in the same way, and so does SET DEFAULT without a default.

    Make the column nullable, or choose CASCADE or RESTRICT.
    """
    for table, key in linted.foreign_keys():
        for column in filter(None, map(table.column, key.columns)):
            if column.not_null is not None and (clause := _clause(key, column)):
                what = f"{clause} fails, because the column is NOT NULL."
                yield Found(path_to(table.name, column.name), what, "Make it nullable, or choose another action.")


def _clause(key: ForeignKey, column: Column) -> str:
    """Return the clause of ``key`` that sets ``column`` to NULL, such as ON DELETE SET NULL; empty if none does."""
    for clause, action in (("ON DELETE", key.on_delete), ("ON UPDATE", key.on_update)):
        if action is Action.SET_NULL or (action is Action.SET_DEFAULT and column.default is None):
            return f"{clause} {action}"
    return ""


@rule(
    Severity.ERROR,
    good="""
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer TEXT NOT NULL REFERENCES users (name));
    CREATE INDEX idx_orders_buyer ON orders (buyer);
    """,
    mistakes={" UNIQUE": ""},
)
def unenforceable_foreign_key(linted: Linted) -> Iterator[Found]:
    """A foreign key refers to something that SQLite can't check.

    If the parent table is missing, or the columns that the key refers to are neither its primary key nor unique, every
    insert into the child table fails with "foreign key mismatch" or "no such table" once `PRAGMA foreign_keys` is ON.
    While it is OFF, nothing is checked. See [Required and suggested
    indexes](https://www.sqlite.org/foreignkeys.html#fk_indexes).

    Refer to a primary key, or add a UNIQUE constraint on the columns. In schema.yaml such a key must have
    `external: true`, so the rule checks only databases.
    """
    if linted.pragmas is not None:  # in schema.yaml, such a key has `external: true`
        return
    for table, key, fault in faulty_keys(linted.schema):
        if fault is Fault.MISSING:
            what = f"the foreign key refers to {key.table}, which does not exist."
            fix = "Correct the name, or drop the key."
        else:
            target = f"{key.table} ({', '.join(key.targets)})" if key.targets else f"the primary key of {key.table}"
            what = f"the foreign key refers to {target}, which is not unique."
            fix = "Add UNIQUE, or refer to the primary key."
        yield Found(path_to(table, *key.columns), what, fix)
