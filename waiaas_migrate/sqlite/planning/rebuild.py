"""Building a table anew: which column is filled from what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from waiaas_migrate.schema.affinity import affinity
from waiaas_migrate.schema.canonical import canonical
from waiaas_migrate.schema.changes import AddColumn, Change
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.model import SqlText, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.schema.rowid import ROWID_NAMES, rowid_alias, rowid_name
from waiaas_migrate.sqlite.planning.actions import (
    Action,
    Copied,
    CopyRows,
    CreateBeside,
    GuardDefinition,
    GuardNoRow,
    GuardObjects,
    Piece,
    ReplaceTable,
    Step,
)
from waiaas_migrate.sqlite.planning.effects import Cost
from waiaas_migrate.sqlite.planning.row_values import column_of, guards, overrides_conflicts, value_of
from waiaas_migrate.sqlite.planning.table_text import Clauses, piece, renamed, written_name
from waiaas_migrate.sqlite.planning.text_steps import text_steps
from waiaas_migrate.sqlite.reading.ddl import TERMS, names_in, unqualified
from waiaas_migrate.sqlite.reading.grammar import Kind, significant, tokenize
from waiaas_migrate.sqlite.reading.spelling import spelled_name, spelled_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """What a rebuild makes of a table: ``old`` with the definition ``text`` becomes ``new`` by ``changes``.

    ``has_quoted_strings``: words in double quotes stand for strings in it, which a new column could take for itself.
    """

    old: Table
    text: str
    new: Table
    changes: tuple[Change, ...]
    has_quoted_strings: bool = False


def rebuild(wanted: Rebuild, clauses: Clauses, objects: Sequence[str]) -> Step:
    """The step that builds the new table, copies the rows into it, and puts it in the old one's place.

    ``objects`` are the folded names of the indexes and triggers that the table has, and gets back.
    """
    old, new = wanted.old, wanted.new
    # A new column that is the rowid has a value in every row, NOT NULL or not.
    before = [
        guard
        for change in wanted.changes
        if isinstance(change, AddColumn)
        and change.column.hints.backfill is None
        and fold(change.column.name) != rowid_alias(new)
        for guard in guards(new, change)
    ]
    aside = f"_waiaas_new_{new.name}"
    create, as_made = _definitions(wanted, clauses, aside)
    copy = CopyRows(
        table=new.name,
        aside=aside,
        copied=tuple(_copied(old, new)) or (_nothing_kept(new),),
        asks_checks=not _keeps_checks(old, new),
        overrides=overrides_conflicts(new),
    )
    return Step(
        words="; ".join(describe(change) for change in wanted.changes),
        cost=Cost.REBUILD,
        actions=(
            *before,
            *_numbered(old, new),
            CreateBeside(create=create),
            copy,
            as_made,
            GuardObjects(table=new.name, names=tuple(objects)),
            ReplaceTable(table=new.name, aside=aside, keeps_sequence=_counts(old) and _counts(new)),
        ),
    )


def _definitions(wanted: Rebuild, clauses: Clauses, aside: str) -> tuple[str, GuardDefinition]:
    """The CREATE TABLE of the new table under the name ``aside``, and the guard for the definition of the old one."""
    name, passing = written_name(wanted.text), spelled_name(aside)
    named = Piece(old=passing, new=name)
    steps = None
    if not (_names_itself(wanted.new) or wanted.has_quoted_strings):
        steps = text_steps(wanted.text, wanted.old, wanted.changes, clauses, wanted.new)
    if steps is None:
        create = clauses.table(replace(_unqualified(wanted.new), name=aside))
        return create, GuardDefinition(table=wanted.old.name, aside=aside, named=named, text=wanted.text)
    pieces = tuple(piece(step.after, step.before) for step in reversed(steps))
    create = renamed(steps[-1].after if steps else wanted.text, passing)
    return create, GuardDefinition(table=wanted.old.name, aside=aside, named=named, pieces=pieces)


def _numbered(old: Table, new: Table) -> list[Action]:
    """A guard where a column becomes the rowid: SQLite would number rows that have NULL in it, without a word."""
    alias = rowid_alias(new)
    column = column_of(old, alias) if alias is not None and alias != rowid_alias(old) else None
    if column is None or column.not_null is not None:
        return []
    name = spelled_name(column.name)
    rule = f"rows have no value in {column.name}, which becomes the primary key"
    return [GuardNoRow(table=new.name, rule=rule, where=f"{name} IS NULL")]


def _keeps_checks(old: Table, new: Table) -> bool:
    """Whether every CHECK of ``new`` is one of ``old``, and says the same of a row there as of its copy."""
    held = {check.expression.key for check in old.checks}
    names = frozenset[str]().union(*(names_in(check.expression.sql) for check in new.checks))
    return (
        bool(new.checks)
        and all(check.expression.key in held for check in new.checks)
        and all(_keeps_value(old, new, name) for name in names)
    )


def _keeps_value(old: Table, new: Table, name: str) -> bool:
    """Whether the word ``name`` in an expression has one value, compared in one way, in a row and its copy."""
    before, after = column_of(old, name), column_of(new, name)
    if before is None or after is None:
        return before is after and name not in ROWID_NAMES
    one, other = canonical(before), canonical(after)
    return (
        value_of(old, after) == spelled_name(after.name)
        and one.generated is None
        and other.generated is None
        and one.collation == other.collation
        and affinity(one.type, strict=old.strict) == affinity(other.type, strict=new.strict)
    )


def _unqualified(table: Table) -> Table:
    """``table`` whose CHECKs do not say its name, which is another while its rows are copied.

    A CHECK may say ``t.x`` for its own column. Renamed in legacy mode, it would go on naming the table of the copy.
    """
    checks = tuple(
        replace(check, expression=replace(check.expression, sql=unqualified(check.expression.sql, table.name)))
        for check in table.checks
    )
    return replace(table, checks=checks)


def _names_itself(table: Table) -> bool:
    """Whether a CHECK says the name of its table."""
    return any(unqualified(check.expression.sql, table.name) != check.expression.sql for check in table.checks)


def _counts(table: Table) -> bool:
    return table.primary_key is not None and table.primary_key.autoincrement


def _copied(old: Table, new: Table) -> Iterator[Copied]:
    """Column by column, named on both sides; a generated column makes its own values, a new one has its default."""
    alias = rowid_alias(new)
    if (rowid := rowid_name(old, new)) is not None and alias is None:
        yield Copied(column=rowid, source=rowid)
    for column in new.columns:
        if column.generated is not None:
            continue
        source = value_of(old, column)
        if source is None and alias == fold(column.name) and column_of(old, column.name) is None:
            source = rowid
        if source is not None:
            yield Copied(column=column.name, source=source)


def _nothing_kept(new: Table) -> Copied:
    """What stands for a row of which nothing is kept: a rowid of SQLite's choice, or else a default."""
    rowid = rowid_name(new)
    if rowid is not None:
        return Copied(column=rowid, source="NULL")
    column = next(column for column in new.columns if column.generated is None)
    return Copied(
        column=column.name, source="NULL" if column.default is None else f"({_as_expression(column.default)})"
    )


def _as_expression(default: SqlText) -> str:
    """A DEFAULT as an expression: a bare name is a string there, and would be a column here."""
    tokens = significant(tokenize(default.sql))
    if (
        len(tokens) == 1
        and tokens[0].kind in (Kind.WORD, Kind.NAME)
        and tokens[0].word not in TERMS | {"TRUE", "FALSE"}
    ):
        return spelled_value(tokens[0].name)
    return default.sql
