"""Full-text tables that have their content from another table, and hold an index over its rows alone.

See https://www.sqlite.org/fts5.html#external_content_tables and https://www.sqlite.org/fts3.html#fts4_external_content_tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from waiaas_migrate.schema.changes import AddVirtualTable, ModifyVirtualTable
from waiaas_migrate.schema.model import Table, VirtualTable
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.actions import FillFullText, Step
from waiaas_migrate.sqlite.cost import Cost
from waiaas_migrate.sqlite.cursor import Cursor
from waiaas_migrate.sqlite.ddl import ROWID_NAMES
from waiaas_migrate.sqlite.grammar import Token, significant, tokenize
from waiaas_migrate.sqlite.reading import moved_columns
from waiaas_migrate.sqlite.rebuild import is_renumbered
from waiaas_migrate.sqlite.transition import Transition

_MODULES = frozenset({"fts4", "fts5"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a full-text table reads: a table, its column that is the row's number, and those that are read; folded."""

    table: str
    rowid: str
    columns: frozenset[str]


def content_of(virtual: VirtualTable) -> Content | None:
    """Where ``virtual`` has its content from; None where it has its own, or none, or is no full-text table."""
    if fold(virtual.module) not in _MODULES:
        return None
    options: dict[str, str] = {}
    columns: set[str] = set()
    for argument in _arguments(virtual.statement.sql):
        if len(argument) > 2 and argument[1].text == "=":
            options[fold(argument[0].name)] = fold(argument[2].name)
        elif argument:
            columns.add(fold(argument[0].name))
    table = options.get("content")
    if not table:
        return None
    return Content(table=table, rowid=options.get("content_rowid", "rowid"), columns=frozenset(columns))


def _arguments(sql: str) -> Iterator[Sequence[Token]]:
    cursor = Cursor(significant(tokenize(sql)))
    while not cursor.is_done and cursor.peek() != "(":
        cursor.next()
    argument: list[Token] = []
    for token in () if cursor.is_done else cursor.balanced():
        if token.text == ",":
            yield argument
            argument = []
        else:
            argument.append(token)
    yield argument


def filling(transition: Transition) -> Iterator[Step]:
    """Steps that index anew the rows that are there: for a table that is new or other, or whose content changed.

    No trigger fires while a migration changes rows, and so nobody else would tell the index.
    """
    made = {fold(c.table.name) for c in transition.changes if isinstance(c, AddVirtualTable)}
    made |= {fold(c.new.name) for c in transition.changes if isinstance(c, ModifyVirtualTable)}
    old_tables, new_tables = transition.old.by_name(), transition.new.by_name()
    for virtual in transition.new.virtual_tables:
        content = content_of(virtual)
        old, new = (None, None) if content is None else (old_tables.get(content.table), new_tables.get(content.table))
        if content is None or old is None or new is None or not _is_readable(content, new):
            continue
        if fold(virtual.name) in made or _is_changed(transition, content, old, new):
            words = f"index the rows of {new.name} in virtual table {virtual.name}"
            yield Step(words=words, cost=Cost.SCAN, actions=(FillFullText(table=virtual.name),))


def _is_readable(content: Content, table: Table) -> bool:
    names = {fold(column.name) for column in table.columns}
    return content.columns <= names and (content.rowid in names or not table.without_rowid)


def _is_changed(transition: Transition, content: Content, old: Table, new: Table) -> bool:
    read = {content.rowid, *content.columns}
    moved = {column for table, column in moved_columns(transition) if table == content.table}
    generated = {fold(column.name) for column in new.columns if column.generated is not None}
    is_numbered_anew = content.rowid in ROWID_NAMES and is_renumbered(old, new)
    return bool(read & moved) or is_numbered_anew or (bool(moved) and bool(read & generated))
