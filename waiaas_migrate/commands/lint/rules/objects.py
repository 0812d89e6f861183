"""Rules about names, views and triggers."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, path_to, rule
from waiaas_migrate.schema.model import Conflict
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading.allowed_values import Tree, tree_of


@rule(
    Severity.ERROR,
    good="""
    CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
    CREATE VIEW open_tasks AS SELECT id FROM tasks WHERE title = 'open';
    """,
    mistakes={"'open'": '"open"'},
)
def double_quoted_string(linted: Linted) -> Iterator[Found]:
    """A string literal is in double quotes.

    In SQL, double quotes are for names. SQLite reads `"open"` as text only if nothing has that name. Once somebody adds
    a column `open`, the text silently becomes that column. Some builds of SQLite refuse such text altogether. See
    [Double-quoted string literals are
    accepted](https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted).

    Write text in single quotes. schema.yaml and its migrations can't have such text: the tool refuses it or writes it
    in single quotes. So the rule finds something only in databases.
    """
    names = {fold(name): name for name in linted.schema.names}
    for (kind, name), words in sorted(linted.strings.items()):
        spelled = ", ".join(f'"{word}"' for word in sorted(words))
        literals = ", ".join(quote_literal(word) for word in sorted(words))
        what = f"{spelled} names nothing here, so SQLite reads it as text."
        yield Found((f"{kind}s", names.get(name, name)), what, f"Write {literals} in single quotes.")


@rule(
    Severity.WARNING,
    good="""
    tables:
      users:
        columns:
          id: {type: integer, primary_key: true}
          name: {type: text, nullable: false, unique: true}
      deleted_users:
        columns:
          id: {type: integer, primary_key: true}
    triggers:
      log_deleted_user: |
        CREATE TRIGGER log_deleted_user AFTER DELETE ON users
        BEGIN INSERT INTO deleted_users (id) VALUES (old.id); END
    """,
    mistakes={"unique: true": "unique: {on_conflict: replace}"},
)
def replace_skips_triggers(linted: Linted) -> Iterator[Found]:
    """A constraint replaces rows without running the table's DELETE triggers.

    With ON CONFLICT REPLACE, SQLite deletes the rows that are in the way. DELETE triggers of the table run for them
    only if `PRAGMA recursive_triggers` is ON, which it isn't by default. An audit log, or a counter kept by a trigger,
    is then wrong. See [ON CONFLICT](https://www.sqlite.org/lang_conflict.html).

    Remove `on_conflict` and write an upsert, `INSERT … ON CONFLICT … DO UPDATE`, or set `recursive_triggers: ON` in
    `pragmas`.
    """
    if linted.sets("recursive_triggers"):
        return
    for table in linted.schema.tables:
        triggers = [trigger for trigger in linted.schema.triggers if fold(trigger.table) == fold(table.name)]
        names = ", ".join(trigger.name for trigger in triggers if trigger.event == "DELETE")
        keys = [key for key in (table.primary_key, *table.uniques) if key is not None]
        if names and any(key.on_conflict is Conflict.REPLACE for key in keys):
            what = f"ON CONFLICT REPLACE deletes rows without running the trigger {names}."
            fix = "Remove `on_conflict: replace`, or set `recursive_triggers: ON` in `pragmas`."
            yield Found(path_to(table.name), what, fix)


@rule(
    Severity.INFO,
    good="""
    tables:
      orders:
        columns:
          id: {type: integer, primary_key: true}
          group_name: text
    """,
    mistakes={"orders": "order", "group_name": "group"},
)
def reserved_name(linted: Linted) -> Iterator[Found]:
    """A name is an SQL keyword.

    Every statement must quote such a name. Without quotes, a query fails with a misleading error or means something
    else.

    Choose another name, and carry the data over with `renamed_from`.
    """
    paths = [
        *(path_to(table.name) for table in linted.schema.tables),
        *(path_to(table.name, column.name) for table, column in linted.columns()),
        *(("views", view.name) for view in linted.schema.views),
    ]
    for path in paths:
        if path[-1].lower() in _RESERVED:
            fix = "Choose another name." if path[0] == "views" else "Rename it with `renamed_from`."
            yield Found(path, f"{path[-1].upper()} is a keyword of SQL.", fix)


#: The keywords that SQLite doesn't accept as names without quotes. It accepts some others, such as KEY
#: (https://www.sqlite.org/lang_keywords.html; parse.y lists them as fallbacks).
_RESERVED = frozenset(
    """
    add all alter and as autoincrement between case check collate commit constraint create default deferrable delete
    distinct drop else escape except exists foreign from group having in index insert intersect into is isnull join
    limit not notnull null on or order primary references returning select set table then to transaction union unique
    update using values when where
    """.split()
)


@rule(
    Severity.WARNING,
    good="""
    tables:
      tasks:
        columns:
          id: {type: integer, primary_key: true}
          done: {type: boolean, nullable: false}
    views:
      open_tasks: SELECT id FROM tasks WHERE NOT done
    """,
    mistakes={"SELECT id": "SELECT *"},
)
def select_star_in_view(linted: Linted) -> Iterator[Found]:
    """A view selects all columns of a table with `*`.

    The columns of the view then change with the table. A program that reads the view by position gets new columns, two
    tables of a join may suddenly have a column of the same name, and nobody notices a dropped column before run time.

    List the columns.
    """
    for view in linted.schema.views:
        tree = tree_of(view.statement) or {}
        if _selects_all(tree.get("select"), frozenset()):
            yield Found(("views", view.name), "the view selects all columns with *.", "List the columns.")


def _selects_all(query: Tree, subqueries: Collection[str]) -> bool:
    """Return whether ``query`` selects all columns of a table with ``*``.

    A ``*`` that doesn't become columns of the view, as in EXISTS (SELECT * …), does no harm. ``subqueries`` are the
    names that WITH defines.
    """
    if not isinstance(query, dict):
        return False
    match query.get("type"):
        case "WithClause":
            definitions = query["ctes"]["children"]
            names = {*subqueries, *(definition["cte_name"] for definition in definitions)}
            return any(_selects_all(part["select"], names) for part in (query, *definitions))
        case "CompoundSelect":
            return _selects_all(query["left"], subqueries) or _selects_all(query["right"], subqueries)
        case "SelectStmt":
            has_star = any("STAR" in (column["flags"] or ()) for column in query["columns"]["children"])
            return has_star and _reads_table(query["from_clause"], subqueries)
        case _:
            return False


def _reads_table(source: Tree, subqueries: Collection[str]) -> bool:
    """Return whether the FROM clause ``source`` has a table, or a subquery that selects all columns of a table."""
    if not isinstance(source, dict):
        return False
    if source.get("type") == "TableRef":
        return source["table_name"] not in subqueries
    if source.get("type") == "SubqueryTableSource":
        return _selects_all(source.get("select"), subqueries)
    return any(_reads_table(part, subqueries) for part in source.values())
