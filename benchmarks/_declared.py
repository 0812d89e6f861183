"""Declare a schema of any number of similar tables in the format of each tool.

Each table has ten columns, two indexes, a CHECK over a list of values and a foreign key. ``changed`` adds a column to
one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData

VALUES = ("open", "done", "gone")


def _parent(number: int) -> int:
    return number // 2


def _is_changed(number: int, tables: int, *, changed: bool) -> bool:
    return changed and number == tables // 2


def yaml(tables: int, *, changed: bool) -> str:
    """A schema.yaml."""
    parts = ["version: 1\ntables:\n"]
    for number in range(tables):
        parts.append(
            f"""\
  table_{number}:
    columns:
      id: {{type: integer, primary_key: true}}
      parent_id: {{type: integer, references: {{table: table_{_parent(number)}, column: id, on_delete: cascade}}}}
      name: {{type: text, nullable: false}}
      status: {{type: text, nullable: false, default: open, enum: [{", ".join(VALUES)}]}}
      amount: integer
      note: text
      flag: {{type: integer, nullable: false, default: 0}}
      created_at: {{type: timestamp, nullable: false}}
      updated_at: timestamp
      data: json
"""
        )
        parts.append("      extra: text\n" if _is_changed(number, tables, changed=changed) else "")
        parts.append(
            f"    indexes:\n      idx_{number}_status: [status, created_at]\n      idx_{number}_name: [name]\n"
        )
    return "".join(parts)


def django(tables: int, *, changed: bool) -> str:
    """A models.py."""
    parts = ["from django.db import models\n"]
    for number in range(tables):
        extra = "    extra = models.TextField(null=True)\n" if _is_changed(number, tables, changed=changed) else ""
        parts.append(
            f"""

class Table{number}(models.Model):
    id = models.IntegerField(primary_key=True)
    parent = models.ForeignKey("Table{_parent(number)}", models.CASCADE, null=True, db_index=False, related_name="+")
    name = models.TextField()
    status = models.TextField(db_default="open")
    amount = models.IntegerField(null=True)
    note = models.TextField(null=True)
    flag = models.IntegerField(db_default=0)
    created_at = models.IntegerField()
    updated_at = models.IntegerField(null=True)
    data = models.TextField(null=True)
{extra}
    class Meta:
        db_table = "table_{number}"
        indexes = [
            models.Index(fields=["status", "created_at"], name="idx_{number}_status"),
            models.Index(fields=["name"], name="idx_{number}_name"),
        ]
        constraints = [models.CheckConstraint(condition=models.Q(status__in={VALUES}), name="check_{number}")]
"""
        )
    return "".join(parts)


def alembic(tables: int, *, changed: bool) -> MetaData:
    """SQLAlchemy's metadata."""
    from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, Table, Text

    metadata = MetaData()
    listed = ", ".join(f"'{value}'" for value in VALUES)
    for number in range(tables):
        extra = [Column("extra", Text)] if _is_changed(number, tables, changed=changed) else []
        Table(
            f"table_{number}",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("parent_id", Integer, ForeignKey(f"table_{_parent(number)}.id", ondelete="CASCADE")),
            Column("name", Text, nullable=False),
            Column("status", Text, nullable=False, server_default="open"),
            Column("amount", Integer),
            Column("note", Text),
            Column("flag", Integer, nullable=False, server_default="0"),
            Column("created_at", Integer, nullable=False),
            Column("updated_at", Integer),
            Column("data", Text),
            *extra,
            CheckConstraint(f"status IN ({listed})", name=f"check_{number}"),
            Index(f"idx_{number}_status", "status", "created_at"),
            Index(f"idx_{number}_name", "name"),
        )
    return metadata


def drizzle(tables: int, *, changed: bool) -> str:
    """A schema.ts."""
    parts = [
        'import { sql } from "drizzle-orm";\n',
        'import { check, index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";\n',
    ]
    listed = ", ".join(f"'{value}'" for value in VALUES)
    for number in range(tables):
        extra = "  extra: text(),\n" if _is_changed(number, tables, changed=changed) else ""
        parts.append(
            f"""
export const table_{number} = sqliteTable("table_{number}", {{
  id: integer().primaryKey(),
  parent_id: integer().references((): any => table_{_parent(number)}.id, {{ onDelete: "cascade" }}),
  name: text().notNull(),
  status: text().notNull().default("open"),
  amount: integer(),
  note: text(),
  flag: integer().notNull().default(0),
  created_at: integer().notNull(),
  updated_at: integer(),
  data: text(),
{extra}}}, (table) => [
  index("idx_{number}_status").on(table.status, table.created_at),
  index("idx_{number}_name").on(table.name),
  check("check_{number}", sql`status IN ({listed})`),
]);
"""
        )
    return "".join(parts)
