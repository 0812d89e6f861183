"""A view selects all columns of a table with `*`.

The columns of the view then change with the table: a new column appears in every program that reads the view by
position, two tables of a join may suddenly have the same column, and a column that is dropped is missed only at run
time.

List the columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted
from waiaas_migrate.sqlite.reading.literal_uses import Tree, tree_of

SEVERITY = Severity.WARNING

BAD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      done: {type: boolean, nullable: false}
views:
  open_tasks: SELECT * FROM tasks WHERE NOT done
"""

GOOD = """\
tables:
  tasks:
    columns:
      id: {type: integer, primary_key: true}
      done: {type: boolean, nullable: false}
views:
  open_tasks: SELECT id FROM tasks WHERE NOT done
"""


def find(linted: Linted) -> Iterator[Found]:
    """Yield each view with ``*`` among its own columns; in EXISTS (SELECT * …), for example, it does no harm."""
    for view in linted.schema.views:
        tree = tree_of(view.statement) or {}
        if _takes_all(tree.get("select"), frozenset()):
            yield Found(("views", view.name), "the view selects all columns with *.", "List the columns.")


def _takes_all(query: Tree, subqueries: Collection[str]) -> bool:
    """Return whether the columns of ``query`` are those of a table; ``subqueries`` are names from WITH."""
    if not isinstance(query, dict):
        return False
    match query.get("type"):
        case "WithClause":
            listed = query["ctes"]["children"]
            names = {*subqueries, *(cte["cte_name"] for cte in listed)}
            return _takes_all(query["select"], names) or any(_takes_all(cte["select"], names) for cte in listed)
        case "CompoundSelect":
            return _takes_all(query["left"], subqueries) or _takes_all(query["right"], subqueries)
        case "SelectStmt":
            has_star = any("STAR" in (column["flags"] or ()) for column in query["columns"]["children"])
            return has_star and _reads_table(query["from_clause"], subqueries)
        case _:
            return False


def _reads_table(source: Tree, subqueries: Collection[str]) -> bool:
    if not isinstance(source, dict):
        return False
    if source.get("type") == "TableRef":
        return source["table_name"] not in subqueries
    if source.get("type") == "SubqueryTableSource":
        return _takes_all(source.get("select"), subqueries)
    return any(_reads_table(part, subqueries) for part in source.values())
