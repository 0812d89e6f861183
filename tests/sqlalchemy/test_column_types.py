"""The column types, on real SQLite: DDL, values there and back, refusals, and comparisons."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal

import pytest
from sqlalchemy import (
    JSON,
    Engine,
    Integer,
    cast,
    create_engine,
    func,
    insert,
    literal_column,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import Float, TypeEngine

from waiaas_migrate.sqlalchemy import (
    BooleanInteger,
    DecimalText,
    EnumInteger,
    EnumText,
    JsonText,
    Timestamp,
    UuidText,
)


class Color(StrEnum):
    """An enum whose values are texts."""

    RED = "red"
    BLUE = "blue"


class Size(Enum):
    """An enum that is not a str, and whose names are not its values."""

    SMALL = "S"
    LARGE = "L"


class Level(IntEnum):
    """An enum of integers."""

    LOW = 1
    HIGH = 2


class Base(DeclarativeBase):
    """The mapped classes of these tests."""


class Thing(Base):
    """A row with a column of each type."""

    __tablename__ = "things"
    id: Mapped[uuid.UUID] = mapped_column(UuidText, primary_key=True, default=uuid.uuid4)
    made_at: Mapped[datetime] = mapped_column(Timestamp)
    seen_at: Mapped[datetime | None] = mapped_column(Timestamp)
    is_open: Mapped[bool] = mapped_column(BooleanInteger)
    color: Mapped[Color] = mapped_column(EnumText(Color))
    size: Mapped[Size | None] = mapped_column(EnumText(Size))
    shape: Mapped[Literal["round", "square"] | None] = mapped_column(EnumText(["round", "square"]))
    level: Mapped[Level | None] = mapped_column(EnumInteger(Level))
    data: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    tracked: Mapped[dict[str, Any] | None] = mapped_column(MutableDict.as_mutable(JsonText))
    amount: Mapped[Decimal | None] = mapped_column(DecimalText)


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Return a plain SQLAlchemy engine for a database in memory with the table."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def thing(**values: object) -> Thing:
    """Return a valid thing, except for ``values``."""
    return Thing(**{"made_at": NOON, "is_open": True, "color": Color.RED, **values})


def stored(engine: Engine, column: str) -> tuple[str, object]:
    """Return the type and value of a column's only value, as SQLite stores it."""
    with engine.connect() as connection:
        return tuple(connection.execute(text(f"SELECT typeof({column}), {column} FROM things")).one())


def there_and_back(engine: Engine, **value: object) -> tuple[tuple[str, object], object]:
    """Store a value in a column; return what SQLite stores, and what a new session reads."""
    (column,) = value
    with Session(engine) as session, session.begin():
        session.add(thing(**value))
    with Session(engine) as session:
        return stored(engine, column), getattr(session.scalars(select(Thing)).one(), column)


def test_ddl_is_that_of_the_schema_file(engine: Engine) -> None:
    """Each type's DDL is TEXT or INTEGER, as for the same type in schema.yaml."""
    ddl = str(CreateTable(Thing.__table__).compile(engine))  # type: ignore[arg-type]
    types = [line.split()[:2] for line in ddl.splitlines() if line.startswith("\t") and "KEY" not in line]
    assert {name: kind.rstrip(",") for name, kind in types} == {
        "id": "TEXT",
        "made_at": "INTEGER",
        "seen_at": "INTEGER",
        "is_open": "INTEGER",
        "color": "TEXT",
        "size": "TEXT",
        "shape": "TEXT",
        "level": "INTEGER",
        "data": "TEXT",
        "tracked": "TEXT",
        "amount": "TEXT",
    }


ID = uuid.UUID("0192e4a0-1111-7abc-8def-0123456789ab")


@pytest.mark.parametrize(
    ("column", "value", "in_sqlite", "read"),
    [
        ("id", ID, ("text", str(ID)), ID),
        ("id", str(ID).upper(), ("text", str(ID)), ID),
        ("made_at", NOON, ("integer", 1767355200), NOON),
        ("made_at", NOON.astimezone(timezone(timedelta(hours=9))), ("integer", 1767355200), NOON),
        ("made_at", NOON + timedelta(microseconds=999_999), ("integer", 1767355200), NOON),
        (
            "made_at",
            datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
            ("integer", -1),
            datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
        ),
        ("made_at", datetime(9999, 12, 31, tzinfo=UTC), ("integer", 253402214400), datetime(9999, 12, 31, tzinfo=UTC)),
        ("seen_at", None, ("null", None), None),
        ("is_open", False, ("integer", 0), False),
        ("color", Color.BLUE, ("text", "blue"), Color.BLUE),
        ("color", "blue", ("text", "blue"), Color.BLUE),
        ("size", Size.LARGE, ("text", "L"), Size.LARGE),
        ("size", None, ("null", None), None),
        ("shape", "round", ("text", "round"), "round"),
        ("level", Level.HIGH, ("integer", 2), Level.HIGH),
        ("data", {"a": [1, None, "é"]}, ("text", '{"a": [1, null, "\\u00e9"]}'), {"a": [1, None, "é"]}),
        ("data", None, ("null", None), None),
        ("data", JSON.NULL, ("text", "null"), None),
        ("amount", Decimal("0.10"), ("text", "0.10"), Decimal("0.10")),
        ("amount", Decimal("1E+30"), ("text", "1" + "0" * 30), Decimal(10**30)),
        ("amount", Decimal("1E-18"), ("text", "0.000000000000000001"), Decimal("1E-18")),
        ("amount", 2**90, ("text", str(2**90)), Decimal(2**90)),
    ],
)
def test_values_come_back(
    engine: Engine, column: str, value: object, in_sqlite: tuple[str, object], read: object
) -> None:
    """A value is stored as the application's other readers expect it, and comes back with its Python type."""
    found, back = there_and_back(engine, **{column: value})
    assert found == in_sqlite
    assert back == read
    assert type(back) is type(read)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("made_at", datetime(2026, 1, 2), "has no time zone"),  # noqa: DTZ001 — the fault that it is about
        ("made_at", 1767355200, "is not a datetime"),
        ("is_open", 2, "is not a bool"),
        ("color", "green", "'green' is not a value of Color. Its values are: 'red', 'blue'."),
        ("color", "RED", "'RED' is not a value of Color"),
        ("size", Color.RED, "is not a value of Size"),
        ("shape", "oval", "'oval' is not a value of this column. Its values are: 'round', 'square'."),
        ("level", 3, "3 is not a value of Level"),
        ("amount", 0.1, "0.1 is not an exact number"),
        ("amount", True, "True is not an exact number"),
        ("amount", Decimal("NaN"), "is not a number"),
        ("id", "no uuid", "'no uuid' is not a UUID"),
    ],
)
def test_wrong_values_are_refused(engine: Engine, column: str, value: object, message: str) -> None:
    """A value that isn't one of the type's is an error before anything is written."""
    with Session(engine) as session:
        session.add(thing(**{column: value}))
        with pytest.raises(StatementError, match=message.replace("(", r"\(")):
            session.commit()
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Thing)) == 0


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("made_at", "'yesterday'", "holds 'yesterday', which is not a time in Unix seconds"),
        ("made_at", "1767355200000", "holds 1767355200000, which is not a time in Unix seconds"),
        ("color", "'green'", "holds 'green', which is not a value of Color"),
        ("amount", "'much'", "holds 'much', which is not a decimal number"),
        ("id", "'x'", "holds 'x', which is not a UUID"),
    ],
)
def test_foreign_values_are_reported(engine: Engine, column: str, value: str, message: str) -> None:
    """A value that another program wrote, and that has no meaning, is an error that names it."""
    with Session(engine) as session, session.begin():
        session.add(thing())
        session.flush()
        session.execute(text(f"UPDATE things SET {column} = {value}"))
    with Session(engine) as session, pytest.raises(ValueError, match=message):
        session.scalars(select(Thing)).all()


def test_columns_can_be_compared(engine: Engine) -> None:
    """Comparisons, lists and LIKE work with Python's values; parts of JSON and of times can be read in SQL."""
    with Session(engine) as session, session.begin():
        session.add(thing(data={"limits": {"day": 5}}, amount=Decimal(9), id=ID, seen_at=NOON + timedelta(days=2)))
    matching = [
        Thing.made_at == NOON,
        Thing.made_at < datetime.now(UTC) + timedelta(days=36500),
        Thing.made_at.between(NOON, NOON),
        Thing.made_at < func.unixepoch("2050-01-01"),
        Thing.seen_at - Thing.made_at == 2 * 86400,
        NOON + timedelta(seconds=9) - Thing.made_at == 9,
        Thing.made_at + 60 < Thing.seen_at,
        Thing.made_at + timedelta(days=2) == Thing.seen_at,
        Thing.seen_at - timedelta(days=2) == Thing.made_at,
        Thing.is_open,
        Thing.is_open.is_(True),
        Thing.is_open == True,  # noqa: E712 — as SQLAlchemy's expressions are written
        Thing.color == Color.RED,
        Thing.color == "red",
        Thing.color.in_([Color.RED, Color.BLUE]),
        Thing.color.not_in([Color.BLUE]),
        Thing.color.like("r%"),
        Thing.color.startswith("r"),
        Thing.size.is_(None),
        Thing.data["limits"]["day"].as_integer() == 5,
        func.json_extract(Thing.data, "$.limits.day") == 5,
        cast(Thing.amount, Float) < 10,
        Thing.id == ID,
        Thing.id == str(ID),
    ]
    with Session(engine) as session:
        for condition in matching:
            assert session.scalars(select(Thing).where(condition)).all(), str(condition)
            assert session.scalars(select(Thing).where(~condition)).all() == [], str(condition)


def test_times_can_be_computed(engine: Engine) -> None:
    """A time and a timedelta give a time; two times give the seconds between them."""
    with Session(engine) as session, session.begin():
        session.add(thing(seen_at=NOON + timedelta(minutes=1)))
    later, between = Thing.made_at + timedelta(hours=1), Thing.seen_at - Thing.made_at
    with engine.connect() as connection:
        assert connection.execute(select(later, between)).one() == (NOON + timedelta(hours=1), 60)


def test_functions_keep_the_type(engine: Engine) -> None:
    """The latest time is a time; a sum of decimals is exact, or an error."""
    with Session(engine) as session, session.begin():
        session.add_all([thing(amount=Decimal(2)), thing(amount=Decimal(40), made_at=NOON + timedelta(days=1))])
    with Session(engine) as session, session.begin():
        assert session.scalar(select(func.max(Thing.made_at))) == NOON + timedelta(days=1)
        assert session.scalar(select(func.coalesce(Thing.seen_at, Thing.made_at)).order_by(Thing.made_at)) == NOON
        assert session.scalar(select(func.sum(Thing.amount))) == Decimal(42)
        assert session.scalar(select(func.sum(cast(Thing.amount, Float)))) == 42.0
        session.add(thing(amount=Decimal("0.1")))
        with pytest.raises(ValueError, match=r"SQLite computed 42\.1 in floating point"):
            session.scalar(select(func.sum(Thing.amount)))


def test_changes_inside_json_can_be_tracked(engine: Engine) -> None:
    """With SQLAlchemy's MutableDict, a change inside a dict is saved."""
    with Session(engine) as session, session.begin():
        session.add(thing(tracked={"a": 1}))
    with Session(engine) as session, session.begin():
        found = session.scalars(select(Thing)).one()
        assert found.tracked is not None
        found.tracked["a"] = 2
    assert stored(engine, "tracked") == ("text", '{"a": 2}')


@pytest.mark.parametrize(
    ("kind", "value", "literal"),
    [
        (Timestamp(), NOON, "1767355200"),
        (BooleanInteger(), True, "1"),
        (EnumText(Color), Color.RED, "'red'"),
        (DecimalText(), Decimal("1.50"), "'1.50'"),
        (UuidText(), ID, f"'{ID}'"),
    ],
)
def test_values_can_be_literals(engine: Engine, kind: TypeEngine[Any], value: object, literal: str) -> None:
    """Values can be rendered into SQL, as for a server default or a migration."""
    statement = select(type_coerce(value, kind))
    assert str(statement.compile(engine, compile_kwargs={"literal_binds": True})) == f"SELECT {literal} AS anon_1"


def test_only_enums_and_lists_are_taken() -> None:
    """A class that is not an enum is an error when the column is defined."""
    with pytest.raises(TypeError, match="<class 'str'> is not an enum"):
        EnumText(str)


def test_enums_are_told_apart_in_the_statement_cache(engine: Engine) -> None:
    """Two statements that differ only in their enum have different entries in SQLAlchemy's cache."""
    statements = [select(type_coerce("red", EnumText(allowed))) for allowed in (Color, ["red"], ["red", "green"])]
    keys = {statement._generate_cache_key().key for statement in statements}  # type: ignore[union-attr]
    assert len(keys) == 3
    with engine.connect() as connection:
        assert [type(connection.scalar(statement)) for statement in statements] == [Color, str, str]
        connection.execute(insert(Thing).values(made_at=NOON, is_open=True, color=Color.BLUE))


class Stock(Base):
    """A row whose key is a member of an enum."""

    __tablename__ = "stock"
    size: Mapped[Size] = mapped_column(EnumText(Size), primary_key=True)
    count: Mapped[int]


class Token(Base):
    """A row whose key is a UUID."""

    __tablename__ = "tokens"
    id: Mapped[uuid.UUID] = mapped_column(UuidText, primary_key=True)
    count: Mapped[int]


def test_texts_and_uuids_are_keys_together() -> None:
    """Rows whose keys were given as a text and as a UUID are changed in one flush."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        tokens = [Token(id=str(uuid.UUID(int=2)), count=1), Token(id=uuid.UUID(int=1), count=1)]
        session.add_all(tokens)
        session.flush()
        for token in tokens:
            token.count += 1
        session.commit()
        assert session.scalars(select(Token.count)).all() == [2, 2]
    engine.dispose()


def test_enum_members_are_keys() -> None:
    """Several rows whose keys are members of an enum, which have no order, are changed in one flush."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Stock(size=Size.SMALL, count=1), Stock(size=Size.LARGE, count=1)])
        session.commit()
        for stock in session.scalars(select(Stock)):
            stock.count += 1
        session.commit()
        assert {stock.size: stock.count for stock in session.scalars(select(Stock))} == {Size.SMALL: 2, Size.LARGE: 2}
    engine.dispose()


def test_a_sum_of_booleans_is_not_a_boolean() -> None:
    """A number that is neither 0 nor 1 is an error instead of True; a cast gives the number."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        is_urgent = type_coerce(literal_column("urgent"), BooleanInteger)
        rows = text("SELECT 1 AS urgent UNION ALL SELECT 1").columns().subquery()
        with pytest.raises(ValueError, match="neither 0 nor 1"):
            connection.scalar(select(func.sum(is_urgent)).select_from(rows))
        assert connection.scalar(select(func.sum(cast(is_urgent, Integer))).select_from(rows)) == 2
        assert connection.scalars(select(is_urgent).select_from(rows)).all() == [True, True]
    engine.dispose()
