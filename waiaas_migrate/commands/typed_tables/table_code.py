"""Generate the SQLAlchemy code of the columns, constraints and indexes of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from waiaas_migrate.commands.typed_tables.models import Attribute, Model
from waiaas_migrate.commands.typed_tables.python_text import Call, Code, Options, Text, call, quoted
from waiaas_migrate.schema.model import ForeignKey, Index, IndexPart, PrimaryKey, Table, Unique
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_name, unquote
from waiaas_migrate.sqlite.reading.ddl import may_omit_parentheses


class TableCode:
    """Generates the code of the tables in a module, and collects the parts that SQLAlchemy can't express."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {fold(model.table.name): model for model in models}
        self._positions = {name: number for number, name in enumerate(self._models)}
        #: A phrase for each part that SQLAlchemy can't express.
        self.left_out: dict[str, None] = {}

    def column(self, model: Model, attribute: Attribute) -> Call:
        """Return the code of a column: ``mapped_column(…)`` in a class, otherwise ``sa.Column(…)``."""
        column, key = attribute.column, model.table.primary_key
        not_null, is_nullable = column.not_null, column.not_null is None
        # By default, SQLAlchemy makes keys NOT NULL and, in a class, also attributes that don't accept None.
        is_nullable_by_default = attribute.accepts_none if model.is_class else not attribute.in_key
        values, uniques = attribute.values, filter(_is_plain_unique, model.table.uniques)
        is_integer = values.type == "sa.Integer"
        is_unique = any(fold(unique.columns[0]) == fold(column.name) for unique in uniques)
        key_conflict = key.on_conflict if key is not None and attribute.in_key and len(key.parts) == 1 else None
        initial = _default_option(attribute) if model.is_class else {}
        return call(
            "mapped_column" if model.is_class else "sa.Column",
            *([Text(column.name)] if column.name != attribute.name or not model.is_class else []),
            _type(attribute, initial),
            *self._column_constraints(model.table, attribute),
            primary_key=(attribute.in_key and self._can_declare_on_columns(model.table)) or None,
            nullable=is_nullable if is_nullable != is_nullable_by_default or values.annotation == "Any" else None,
            # By default, SQLAlchemy expects SQLite to number the rows.
            autoincrement=False if attribute.in_key and is_integer and not attribute.is_numbered else None,
            unique=is_unique or None,
            sqlite_on_conflict_not_null=_text(not_null.on_conflict if not_null is not None else None),
            sqlite_on_conflict_primary_key=_text(key_conflict),
            **initial,
            server_default=_server_default(column.default.sql) if column.default is not None else None,
            comment=Text(column.comment) if column.comment else None,
        )

    def _column_constraints(self, table: Table, attribute: Attribute) -> Iterator[Code]:
        column, kind = attribute.column, attribute.values.type
        for key in self._foreign_keys(table):
            if len(key.columns) == 1 and fold(key.columns[0]) == fold(column.name):
                yield call("sa.ForeignKey", *self._targets(key), **self._reference_options(key, table))
        if attribute.is_numbered and column.not_null is None:
            # If the key isn't NOT NULL, SQLAlchemy refuses to insert several rows unless the key has a sequence. SQLite
            # has no sequences, so none is created.
            yield call("sa.Sequence", quoted("rowid"))
        if column.generated is not None:
            stored = True if column.generated.stored else False if column.generated.virtual else None
            yield call("sa.Computed", sql_text(column.generated.expression.sql), persisted=stored)
        if column.not_null is not None and column.not_null.name is not None:
            self._leave_out(table, f"the name of NOT NULL on {column.name}")
        has_collation = isinstance(kind, Call) and any(label == "collation=" for label, _ in kind.items)
        if column.collation is not None and not has_collation:
            self._leave_out(table, f"COLLATE {column.collation} on {column.name}")

    def constraints(self, table: Table) -> list[Code]:
        """Return the code of the constraints and indexes that are not part of a column."""
        checks = (
            call("sa.CheckConstraint", sql_text(check.expression.sql), name=_text(check.name)) for check in table.checks
        )
        keys = [key for key in self._foreign_keys(table) if len(key.columns) > 1]
        return [
            *self._primary_key(table),
            *self._uniques(table),
            *checks,
            *(self._foreign_key_constraint(key, table) for key in keys),
            *(_index(index, table) for index in table.indexes),
        ]

    @staticmethod
    def options(table: Table) -> Options:
        """Return the keyword arguments of a table."""
        key = table.primary_key
        return {
            "comment": Text(table.comment) if table.comment else None,
            "sqlite_autoincrement": (key is not None and key.autoincrement) or None,
            "sqlite_strict": table.strict or None,
            "sqlite_with_rowid": False if table.without_rowid else None,
        }

    def _leave_out(self, table: Table, what: str) -> None:
        self.left_out[f"table {table.name}: {what}"] = None

    @staticmethod
    def _can_declare_on_columns(table: Table) -> bool:
        """Return whether the primary key can be declared on its columns, with ``primary_key=True``."""
        key = table.primary_key
        if key is None or key.name is not None or (key.on_conflict is not None and len(key.parts) > 1):
            return False
        names = list(map(fold, key.columns))
        return names == [fold(column.name) for column in table.columns if fold(column.name) in names]

    def _primary_key(self, table: Table) -> Iterator[Code]:
        key = table.primary_key
        if key is None:
            return
        if not all(map(_is_plain_column, key.parts)):
            self._leave_out(table, "the order or collation of the primary key")
        if key.name is not None and key.autoincrement:
            self._leave_out(table, "the name of the primary key")
        referring = {fold(name) for foreign_key in table.foreign_keys for name in foreign_key.columns}
        if key.autoincrement and fold(key.columns[0]) in referring:
            self._leave_out(table, "AUTOINCREMENT, because the column is a foreign key")
        if not self._can_declare_on_columns(table):
            yield _key_constraint("sa.PrimaryKeyConstraint", key, table, with_conflict=len(key.parts) > 1)

    def _uniques(self, table: Table) -> Iterator[Code]:
        for unique in table.uniques:
            if not all(map(_is_plain_column, unique.parts)):
                self._leave_out(table, f"UNIQUE ({', '.join(map(_part_sql, unique.parts))})")
            elif not _is_plain_unique(unique):
                yield _key_constraint("sa.UniqueConstraint", unique, table, with_conflict=True)

    def _foreign_keys(self, table: Table) -> Iterator[ForeignKey]:
        """Yield the foreign keys whose parent tables are in the module."""
        for key in table.foreign_keys:
            parent = self._models.get(fold(key.table))
            words = f"the foreign key ({', '.join(key.columns)}) to {key.table}"
            if parent is None or not parent.targets(key):
                self._leave_out(table, words)
                continue
            if not key.targets:
                self._leave_out(table, f"{words} without target columns; this module names them")
            yield key

    def _foreign_key_constraint(self, key: ForeignKey, table: Table) -> Code:
        columns, options = (quoted(_spelled(table, name)) for name in key.columns), self._reference_options(key, table)
        return call("sa.ForeignKeyConstraint", _list(columns), _list(self._targets(key)), **options)

    def _targets(self, key: ForeignKey) -> list[str]:
        parent = self._models[fold(key.table)]
        return [quoted(f"{parent.table.name}.{target.column.name}") for target in parent.targets(key)]

    def _reference_options(self, key: ForeignKey, table: Table) -> Options:
        kind, _, initially = (key.deferral or "").partition(" INITIALLY ")
        return {
            "name": _text(key.name),
            "onupdate": _text(key.on_update),
            "ondelete": _text(key.on_delete),
            "deferrable": kind == "DEFERRABLE" if kind else None,
            "initially": _text(initially or None),
            "match": _text(key.match),
            "use_alter": self._closes_cycle(table, key) or None,
        }

    def _closes_cycle(self, table: Table, key: ForeignKey) -> bool:
        """Return whether ``key`` refers to a later table that refers back, directly or through other tables.

        SQLAlchemy can't put such tables in an order unless the key has ``use_alter``.
        """
        start, goal = fold(key.table), fold(table.name)
        if self._positions[start] <= self._positions[goal]:
            return False
        seen, waiting = {start}, [start]
        while waiting:
            parents = {fold(other.table) for other in self._models[waiting.pop()].table.foreign_keys}
            new = parents & self._models.keys() - seen
            seen |= new
            waiting += new
        return goal in seen


def sql_text(sql: str) -> Text:
    """Return ``sql`` with escaped colons, because SQLAlchemy reads a colon as the beginning of a parameter."""
    return Text(sql.replace(":", "\\:"))


def _server_default(sql: str) -> Code:
    if sql[0] in "[`":  # a quoted name, which SQLite reads as text unless it is in parentheses
        sql = '"' + unquote(sql).replace('"', '""') + '"'
    return call("sa.text", sql_text(sql if may_omit_parentheses(sql) else f"({sql})"))


def _default_option(attribute: Attribute) -> dict[str, Code]:
    """Return the option that sets a new object's value if the caller passes none; empty if the caller must pass one."""
    column = attribute.column
    if column.generated is not None:
        return {"init": "False"}
    if column.default is not None:
        option, code = attribute.values.default(column) or ("default", "None")
        return {option: code}
    return {"default": "None"} if attribute.accepts_none or attribute.is_numbered else {}


def _type(attribute: Attribute, initial: dict[str, Code]) -> Code:
    """Return the SQLAlchemy type of a column.

    ``evaluates_none()`` is for a nullable column with a default: otherwise None would insert the default, not NULL.
    """
    kind, has_default = attribute.values.type, attribute.column.default is not None
    if not attribute.accepts_none or not has_default or initial.get("default") in (None, "None"):
        return kind
    return replace(kind if isinstance(kind, Call) else call(str(kind)), closing=").evaluates_none()")


def _is_plain_unique(unique: Unique) -> bool:
    """Return whether ``unique`` can be written as ``unique=True`` on its column."""
    is_bare_column = len(unique.parts) == 1 and _is_plain_column(unique.parts[0])
    return is_bare_column and unique.name is None and unique.on_conflict is None


def _is_plain_column(part: IndexPart) -> bool:
    return part.column is not None and part.collation is None and not part.descending


def _spelled(table: Table, name: str) -> str:
    """Return the name of a column as its declaration spells it."""
    column = table.column(name)
    return name if column is None else column.name


def _text(value: str | None) -> str | None:
    return None if value is None else quoted(value)


def _list(items: Iterable[str]) -> Call:
    return Call(opening="[", items=tuple(("", item) for item in items), closing="]")


def _key_constraint(name: str, key: PrimaryKey | Unique, table: Table, *, with_conflict: bool) -> Call:
    columns = [quoted(_spelled(table, column)) for column in key.columns]
    conflict = key.on_conflict if with_conflict else None
    return call(name, *columns, name=_text(key.name), sqlite_on_conflict=_text(conflict))


def _index(index: Index, table: Table) -> Call:
    parts = [
        quoted(_spelled(table, part.column or ""))
        if _is_plain_column(part)
        else call("sa.text", sql_text(_part_sql(part)))
        for part in index.parts
    ]
    where = call("sa.text", sql_text(index.where.sql)) if index.where is not None else None
    return call("sa.Index", quoted(index.name), *parts, unique=index.unique or None, sqlite_where=where)


def _part_sql(part: IndexPart) -> str:
    sql = quote_name(part.column) if part.column is not None else part.expression.sql if part.expression else ""
    collation = f" COLLATE {quote_name(part.collation)}" if part.collation is not None else ""
    return f"{sql}{collation}{' DESC' if part.descending else ''}"
