"""A schema that SQLAlchemy's classes declare equals the migrated one, to this tool and to Alembic."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, Column, Engine, ForeignKey, Index, Integer, MetaData, Text, text
from sqlalchemy import create_engine as plain_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.support.projects import generated_project
from waiaas_migrate import diff, find_project, waiaas
from waiaas_migrate.sqlalchemy import (
    BooleanInteger,
    DecimalText,
    EnumText,
    JsonText,
    Timestamp,
    UuidText,
    create_engine,
    include_name,
)
from waiaas_migrate.waiaas import tables

SCHEMA = """\
version: 1
tables:
  owners:
    columns:
      id: {type: uuid, nullable: false, primary_key: true}
      name: {type: text, nullable: false}
  items:
    columns:
      id: {type: integer, nullable: false, primary_key: true}
      owner_id: {type: uuid, nullable: false, references: {table: owners, column: id, on_delete: cascade}}
      color: {type: text, nullable: false, default: red, enum: [red, blue]}
      is_open: {type: boolean, nullable: false, default: true}
      made_at: {type: timestamp, nullable: false}
      details: json
      amount: text
      parent_id: {type: integer, references: {table: items, column: id, on_delete: set null, on_update: cascade, deferrable: initially deferred}}
    indexes:
      items_owner: {columns: [owner_id, made_at], unique: true}
      items_open: {columns: [color], where: is_open}
"""


class Color(StrEnum):
    """The colors of items."""

    RED = "red"
    BLUE = "blue"


class Base(DeclarativeBase):
    """The mapped classes of these tests."""


class Owner(Base):
    """A row of the table ``owners``."""

    __tablename__ = "owners"
    id: Mapped[UUID] = mapped_column(UuidText, primary_key=True)
    name: Mapped[str] = mapped_column(Text)


class Item(Base):
    """A row of the table ``items``."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(UuidText, ForeignKey("owners.id", ondelete="CASCADE"))
    color: Mapped[Color] = mapped_column(
        EnumText(Color), CheckConstraint("color IN ('red', 'blue')"), server_default="red"
    )
    is_open: Mapped[bool] = mapped_column(
        BooleanInteger, CheckConstraint("is_open IN (0, 1)"), server_default=text("1")
    )
    made_at: Mapped[datetime] = mapped_column(Timestamp)
    details: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    amount: Mapped[Decimal | None] = mapped_column(DecimalText)
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("items.id", ondelete="SET NULL", onupdate="CASCADE", deferrable=True, initially="DEFERRED")
    )
    __table_args__ = (
        Index("items_owner", "owner_id", "made_at", unique=True),
        Index("items_open", "color", sqlite_where=text("is_open")),
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Write a project with its first migration."""
    return generated_project(tmp_path / "project", SCHEMA)


@pytest.fixture
def engine(tmp_path: Path, project: Path) -> Iterator[Engine]:
    """Return the engine of a migrated database."""
    engine = create_engine(tmp_path / "a.db", migrations=project / "migrations")
    yield engine
    engine.dispose()


def test_create_all_makes_an_equal_schema(tmp_path: Path, project: Path) -> None:
    """``diff`` finds no change between a database that ``create_all`` made and the migrations."""
    made = plain_engine(f"sqlite:///{tmp_path / 'made.db'}")
    Base.metadata.create_all(made)
    made.dispose()
    assert diff(find_project(project), str(project / "migrations"), str(tmp_path / "made.db")).changes == ()


def alembic_finds(engine: Engine, metadata: MetaData = Base.metadata) -> list[str]:
    """Return the kinds of differences that Alembic finds between the database and the classes."""
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": include_name}
        context = MigrationContext.configure(connection, opts=options)
        return [str(one[0] if isinstance(one, tuple) else one[0][0]) for one in compare_metadata(context, metadata)]


def test_alembic_finds_nothing(engine: Engine) -> None:
    """Alembic finds the classes and a migrated database equal: types, defaults, indexes and keys."""
    assert alembic_finds(engine) == []


def test_alembic_finds_nothing_in_the_daemon_s_database(tmp_path: Path) -> None:
    """The daemon's classes, which ``models`` writes, equal its migrated database."""
    engine = waiaas.create_engine(tmp_path / "d.db")
    assert alembic_finds(engine, tables.Base.metadata) == []
    engine.dispose()


def test_alembic_finds_changes(engine: Engine) -> None:
    """Alembic still finds a column that has another type, one that is missing, and a table that is superfluous."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE yours (a TEXT)"))
        connection.execute(text("ALTER TABLE items DROP COLUMN amount"))
        connection.execute(text("ALTER TABLE items DROP COLUMN details"))
        connection.execute(text("ALTER TABLE items ADD COLUMN details INTEGER"))
    assert sorted(alembic_finds(engine)) == ["add_column", "modify_type", "remove_table"]


def test_only_bookkeeping_is_left_out() -> None:
    """The tables that record migrations are left out, with their indexes; the application's are not."""
    kept = [
        name
        for name in ("items", "_yoyo_log", "yoyo_lock", "_yoyo_migration_text", "_yoyo", "yoyo")
        if include_name(name, "table", {"schema_name": None})
    ]
    assert kept == ["items", "_yoyo", "yoyo"]
    assert include_name("i", "index", {"schema_name": None, "table_name": "items"})
    assert not include_name("i", "index", {"schema_name": None, "table_name": "_yoyo_log"})
    assert include_name(None, "schema", {})


def test_columns_may_be_core_s() -> None:
    """The types also work in Table objects, and keep their Python types."""
    column: Column[Color] = Column("color", EnumText(Color))
    assert isinstance(column.type, EnumText)
