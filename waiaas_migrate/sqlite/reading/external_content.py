"""Find the external content of a full-text table: the table or view that it indexes.

See https://www.sqlite.org/fts5.html#external_content_tables and
https://www.sqlite.org/fts3.html#fts4_external_content_tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import unquote
from waiaas_migrate.sqlite.reading.virtual_tables import MODULES_WITHOUT_DATA, module_of, significant_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalContent:
    """The external content of a full-text table; all names are folded.

    Args:
        table: the table or view with the content.
        rowid: the column of ``table`` that identifies a row.
        columns: the indexed columns; none if an FTS4 table doesn't name them, and so indexes all.
    """

    table: str
    rowid: str
    columns: frozenset[str]


def external_content(sql: str) -> ExternalContent | None:
    """Return the external content in a CREATE VIRTUAL TABLE; None if it declares none."""
    if module_of(sql) not in ("fts4", "fts5"):
        return None
    arguments = _arguments(sql)
    options = {argument[0]: argument[2] for argument in arguments if argument[1:2] == ["="] and len(argument) > 2}
    columns = {argument[0] for argument in arguments if argument[0] not in options}
    if not options.get("content"):
        return None
    columns |= {options["languageid"]} if "languageid" in options else set()
    rowid = options.get("content_rowid", "rowid")
    return ExternalContent(table=options["content"], rowid=rowid, columns=frozenset(columns))


def _arguments(sql: str) -> Sequence[Sequence[str]]:
    """Return the arguments of a virtual table's module, each as folded words and symbols."""
    found: list[list[str]] = [[]]
    depth = 0
    for word in significant_tokens(sql):
        depth += (word == "(") - (word == ")")
        if depth == 1 and word in ("(", ","):
            found.append([])
        elif depth:
            found[-1].append(fold(unquote(word)))
    return [argument for argument in found if argument]


def holds_rows(sql: str) -> bool:
    """Return whether a virtual table stores its own rows."""
    return module_of(sql) not in MODULES_WITHOUT_DATA and external_content(sql) is None
