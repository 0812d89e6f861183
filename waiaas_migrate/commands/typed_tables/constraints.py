"""Write the constraints and indexes of a table as SQLAlchemy's.

A part that SQLAlchemy has no words for is listed in ``left_out`` instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from waiaas_migrate.commands.typed_tables.models import Attribute, Model
from waiaas_migrate.commands.typed_tables.python_text import Call, Code, Text, call, quoted
from waiaas_migrate.schema.model import Deferral, ForeignKey, Index, IndexPart, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_name, unquote
from waiaas_migrate.sqlite.reading.ddl import is_bare

_INITIALLY = {
    Deferral.DEFERRED: "DEFERRED",
    Deferral.IMMEDIATE: "IMMEDIATE",
    Deferral.NOT_DEFERRED: "DEFERRED",
    Deferral.NOT_IMMEDIATE: "IMMEDIATE",
}
_DEFERRABLE = (Deferral.DEFERRABLE, Deferral.DEFERRED, Deferral.IMMEDIATE)


def sql_text(sql: str) -> Text:
    """Return SQL as SQLAlchemy reads it: a colon would begin the name of a parameter."""
    return Text(sql.replace(":", "\\:"))


class Constraints:
    """The constraints of the tables of a module, as code."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {fold(model.table.name): model for model in models}
        self._order = {name: number for number, name in enumerate(self._models)}
        self._left_out: dict[str, None] = {}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return a phrase for each part that the code can't express."""
        return tuple(self._left_out)

    def of_column(self, model: Model, attribute: Attribute) -> tuple[list[Code], dict[str, Code | None]]:
        """Return the arguments and options of a column's constraints."""
        column, table = attribute.column, model.table
        keys = [key for key in self._foreign_keys(table) if _names_only(key.columns, column.name)]
        arguments: list[Code] = [self._foreign_key(key, table) for key in keys]
        if attribute.is_numbered and column.not_null is None:
            # Without NOT NULL, SQLAlchemy refuses to insert several rows unless the key has a sequence. It creates none
            # in SQLite.
            arguments.append(call("sa.Sequence", quoted("rowid")))
        if column.generated is not None:
            stored = "True" if column.generated.stored else "False" if column.generated.virtual else None
            arguments.append(call("sa.Computed", sql_text(column.generated.expression.sql), persisted=stored))
        unique = next((one for one in table.uniques if _is_plain_unique(one, column.name)), None)
        options: dict[str, Code | None] = {
            "primary_key": "True" if attribute.in_key and self._is_on_columns(table) else None,
            "unique": "True" if unique is not None else None,
        }
        self._conflicts(model, attribute, options)
        return arguments, options

    def _conflicts(self, model: Model, attribute: Attribute, options: dict[str, Code | None]) -> None:
        not_null, key = attribute.column.not_null, model.table.primary_key
        if not_null is not None and not_null.on_conflict is not None:
            options["sqlite_on_conflict_not_null"] = quoted(not_null.on_conflict)
        if key is not None and attribute.in_key and len(key.parts) == 1 and key.on_conflict is not None:
            options["sqlite_on_conflict_primary_key"] = quoted(key.on_conflict)
        if not_null is not None and not_null.name is not None:
            self._leave_out(model.table, f"the name of NOT NULL on {attribute.column.name}")
        if attribute.values.problem:
            self._leave_out(model.table, f"{attribute.values.problem} on {attribute.column.name}")

    def of_table(self, table: Table) -> list[Code]:
        """Return the constraints and indexes that are not written on columns."""
        return [
            *self._primary_key(table),
            *self._uniques(table),
            *(
                call("sa.CheckConstraint", sql_text(check.expression.sql), name=_text(check.name))
                for check in table.checks
            ),
            *(self._foreign_key_constraint(key, table) for key in self._foreign_keys(table) if len(key.columns) > 1),
            *(_index(index, table) for index in table.indexes),
        ]

    def options(self, table: Table) -> tuple[tuple[str, Code], ...]:
        """Return the options of a table."""
        key = table.primary_key
        found: dict[str, Code | None] = {
            "comment": Text(table.comment) if table.comment else None,
            "sqlite_autoincrement": "True" if key is not None and key.autoincrement else None,
            "sqlite_strict": "True" if table.strict else None,
            "sqlite_with_rowid": "False" if table.without_rowid else None,
        }
        return tuple((name, code) for name, code in found.items() if code is not None)

    def _leave_out(self, table: Table, what: str) -> None:
        self._left_out[f"table {table.name}: {what}"] = None

    @staticmethod
    def _is_on_columns(table: Table) -> bool:
        """Return whether the primary key can be written on its columns."""
        key = table.primary_key
        if key is None or key.name is not None or (key.on_conflict is not None and len(key.parts) > 1):
            return False
        names = [fold(part.column or "") for part in key.parts]
        return names == [fold(column.name) for column in table.columns if fold(column.name) in names]

    def _primary_key(self, table: Table) -> Iterator[Code]:
        key = table.primary_key
        if key is None:
            return
        if any(part.collation is not None or part.descending for part in key.parts):
            self._leave_out(table, "the order or collation of the primary key")
        if key.name is not None and key.autoincrement:
            self._leave_out(table, "the name of the primary key")
        referring = {fold(name) for other in table.foreign_keys for name in other.columns}
        if key.autoincrement and fold(key.parts[0].column or "") in referring:
            self._leave_out(table, "AUTOINCREMENT, because the column is a foreign key")
        if not self._is_on_columns(table):
            yield _key_constraint("sa.PrimaryKeyConstraint", key, table, with_conflict=len(key.parts) > 1)

    def _uniques(self, table: Table) -> Iterator[Code]:
        for unique in table.uniques:
            if any(part.collation is not None or part.descending for part in unique.parts):
                self._leave_out(table, f"UNIQUE ({', '.join(map(_part_sql, unique.parts))})")
            elif not _is_plain_unique(unique, unique.parts[0].column or ""):
                yield _key_constraint("sa.UniqueConstraint", unique, table, with_conflict=True)

    def _foreign_keys(self, table: Table) -> Iterator[ForeignKey]:
        """Yield the foreign keys whose parents are in the module."""
        for key in table.foreign_keys:
            parent = self._models.get(fold(key.table))
            if parent is not None and parent.referred(key):
                if not key.targets:
                    self._leave_out(table, f"{_key_sql(key)} without its columns, which are written here")
                yield key
            else:
                self._leave_out(table, _key_sql(key))

    def _foreign_key(self, key: ForeignKey, table: Table) -> Code:
        return call("sa.ForeignKey", *self._targets(key), **self._reference_options(key, table))

    def _foreign_key_constraint(self, key: ForeignKey, table: Table) -> Code:
        own = _list(quoted(_spelled(table, name)) for name in key.columns)
        return call("sa.ForeignKeyConstraint", own, _list(self._targets(key)), **self._reference_options(key, table))

    def _targets(self, key: ForeignKey) -> list[str]:
        parent = self._models[fold(key.table)]
        return [quoted(f"{parent.table.name}.{one.column.name}") for one in parent.referred(key)]

    def _reference_options(self, key: ForeignKey, table: Table) -> dict[str, Code | None]:
        initially = _INITIALLY.get(key.deferral) if key.deferral is not None else None
        return {
            "name": _text(key.name),
            "onupdate": _text(key.on_update),
            "ondelete": _text(key.on_delete),
            "deferrable": None if key.deferral is None else str(key.deferral in _DEFERRABLE),
            "initially": _text(initially),
            "match": _text(key.match),
            "use_alter": "True" if self._closes_cycle(table, key) else None,
        }

    def _closes_cycle(self, table: Table, key: ForeignKey) -> bool:
        """Return whether ``key`` refers to a later table that refers back. SQLAlchemy needs to know where to begin."""
        start, goal = fold(key.table), fold(table.name)
        if self._order[start] <= self._order[goal]:
            return False
        seen, waiting = {start}, [start]
        while waiting:
            for other in self._models[waiting.pop()].table.foreign_keys:
                parent = fold(other.table)
                if parent in self._models and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return goal in seen


def server_default(sql: str) -> Code:
    """Return a DEFAULT as SQLAlchemy takes it."""
    if sql[0] in "[`":  # a name that stands for a text, which SQLAlchemy would take for an expression
        sql = '"' + unquote(sql).replace('"', '""') + '"'
    return call("sa.text", sql_text(sql if is_bare(sql) else f"({sql})"))


def _names_only(columns: tuple[str, ...], name: str) -> bool:
    return len(columns) == 1 and fold(columns[0]) == fold(name)


def _is_plain_unique(unique: Unique, column: str) -> bool:
    """Return whether ``unique`` says only that ``column`` is UNIQUE."""
    if unique.name is not None or unique.on_conflict is not None or len(unique.parts) > 1:
        return False
    part = unique.parts[0]
    return part.collation is None and not part.descending and fold(part.column or "") == fold(column)


def _spelled(table: Table, name: str) -> str:
    return next((column.name for column in table.columns if fold(column.name) == fold(name)), name)


def _text(value: str | None) -> str | None:
    return None if value is None else quoted(value)


def _list(items: Iterable[str]) -> Call:
    return Call(opening="[", items=tuple(("", item) for item in items), closing="]")


def _key_constraint(name: str, key: PrimaryKey | Unique, table: Table, *, with_conflict: bool) -> Call:
    columns = [quoted(_spelled(table, part.column or "")) for part in key.parts]
    conflict = _text(key.on_conflict) if with_conflict else None
    return call(name, *columns, name=_text(key.name), sqlite_on_conflict=conflict)


def _index(index: Index, table: Table) -> Call:
    parts = [_index_part(part, table) for part in index.parts]
    where = call("sa.text", sql_text(index.where.sql)) if index.where is not None else None
    return call("sa.Index", quoted(index.name), *parts, unique="True" if index.unique else None, sqlite_where=where)


def _index_part(part: IndexPart, table: Table) -> Code:
    if part.column is not None and part.collation is None and not part.descending:
        return quoted(_spelled(table, part.column))
    return call("sa.text", sql_text(_part_sql(part)))


def _part_sql(part: IndexPart) -> str:
    sql = quote_name(part.column) if part.column is not None else part.expression.sql if part.expression else ""
    collation = f" COLLATE {quote_name(part.collation)}" if part.collation is not None else ""
    return f"{sql}{collation}{' DESC' if part.descending else ''}"


def _key_sql(key: ForeignKey) -> str:
    return f"the foreign key ({', '.join(key.columns)}) to {key.table}"
