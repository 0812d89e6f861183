"""Build Django models that are as close to a schema as possible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from waiaas_migrate.schema.model import Action, Column, ForeignKey, Index, Schema, Table

if TYPE_CHECKING:
    from django.db.models import Field

#: Django's models name an application, which need not exist.
APPLICATION = "bench"


def configure(database: Path, **settings: object) -> None:
    """Set up Django for one database."""
    import django
    from django.conf import settings as configured

    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}
    configured.configure(DATABASES={"default": engine}, USE_TZ=True, **settings)
    django.setup()


def models_of(schema: Schema) -> dict[str, Any]:
    """Return a model class for each table, with its foreign keys, CHECKs over lists, and indexes over columns."""
    from django.db import models

    made: dict[str, Any] = {}
    for table in schema.tables:
        meta = {"app_label": APPLICATION, "db_table": table.name, **_meta(table)}
        body = {
            "__module__": __name__,
            "Meta": type("Meta", (), meta),
            **{attribute(table, column): _field(table, column) for column in table.columns},
        }
        made[table.name] = type(model_name(table.name), (models.Model,), body)
    return made


def model_name(table: str) -> str:
    """Return the name of a table's class."""
    return table.title().replace("_", "")


def attribute(table: Table, column: Column) -> str:
    """Return the attribute of a column; for a foreign key, without ``_id``."""
    return column.name.removesuffix("_id") if _reference(table, column) is not None else column.name


def _reference(table: Table, column: Column) -> ForeignKey | None:
    return next((key for key in table.foreign_keys if key.columns == (column.name,)), None)


def _field(table: Table, column: Column) -> Field:
    from django.db import models

    key = table.primary_key
    options: dict[str, Any] = {"null": column.not_null is None}
    if key is not None and [part.column for part in key.parts] == [column.name]:
        options = {"primary_key": True}
    if column.default is not None:
        options["db_default"] = _literal(column.default.sql)
    reference = _reference(table, column)
    if reference is not None:
        on_delete: dict[Action | None, Any] = {
            Action.CASCADE: models.CASCADE,
            Action.SET_NULL: models.SET_NULL,
            Action.RESTRICT: models.RESTRICT,
        }
        target = f"{APPLICATION}.{model_name(reference.table)}"
        action = on_delete.get(reference.on_delete, models.DO_NOTHING)
        if reference.table == table.name:
            target = "self"
        return models.ForeignKey(target, action, db_column=column.name, db_index=False, related_name="+", **options)
    return models.IntegerField(**options) if column.type == "INTEGER" else models.TextField(**options)


def _literal(sql: str) -> str | int:
    return sql[1:-1] if sql.startswith("'") else int(sql)


def _meta(table: Table) -> dict[str, list[Any]]:
    from django.db import models

    constraints: list[Any] = []
    for number, check in enumerate(table.checks):
        if check.allowed is not None:
            condition = models.Q(**{f"{check.allowed.column}__in": list(check.allowed.values)})
            constraints.append(models.CheckConstraint(condition=condition, name=f"{table.name}_check_{number}"))
    constraints += [
        models.UniqueConstraint(fields=_fields(table, index), name=index.name)
        for index in table.indexes
        if index.unique
    ]
    indexes = [
        models.Index(fields=_fields(table, index), name=index.name) for index in table.indexes if not index.unique
    ]
    return {"constraints": constraints, "indexes": indexes}


def _fields(table: Table, index: Index) -> list[str]:
    columns = {column.name: column for column in table.columns}
    return [attribute(table, columns[part.column or ""]) for part in index.parts]
