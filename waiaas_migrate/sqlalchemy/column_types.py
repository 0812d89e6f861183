"""Column types whose DDL and values are those of the types in schema.yaml.

Each refuses what SQLite would store but no reader could understand. SQLAlchemy reports such a value as a
``StatementError``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import ColumnOperators, Dialect, Integer, Text, type_coerce
from sqlalchemy.dialects.sqlite import JSON
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

_T = TypeVar("_T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
#: The operators whose other side isn't a whole value of the column: parts of texts, and steps of numbers.
_OF_PARTS = frozenset(
    {
        operators.add,
        operators.sub,
        operators.mul,
        operators.truediv,
        operators.floordiv,
        operators.mod,
        operators.concat_op,
        operators.like_op,
        operators.not_like_op,
        operators.ilike_op,
        operators.not_ilike_op,
        operators.contains_op,
        operators.startswith_op,
        operators.endswith_op,
        operators.match_op,
        operators.regexp_match_op,
    }
)


class _Decorated(TypeDecorator[_T]):
    """A type that is stored as another; operators on parts of values, such as LIKE, are those of the stored type."""

    __abstract__ = True
    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True

    def coerce_compared_value(self, op: operators.OperatorType | None, value: object) -> TypeEngine[Any]:
        return self.impl_instance.coerce_compared_value(op, value) if op in _OF_PARTS else self


class _Seconds(TypeDecorator[timedelta]):
    """The timedelta that is added to a time."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        return None if value is None else value // _SECOND


class Timestamp(_Decorated[datetime]):
    """Store an aware datetime as Unix seconds in an INTEGER, and return it in UTC.

    Fractions of a second are dropped, so that a stored time is never in the future. A datetime without a time zone is
    an error. In SQL, a ``timedelta`` can be added, and the difference of two times is in seconds.
    """

    impl = Integer
    cache_ok = True

    class comparator_factory(TypeDecorator.Comparator[datetime]):  # noqa: D106, N801 — SQLAlchemy's name
        def __sub__(self, other: Any) -> ColumnOperators:  # noqa: ANN401
            return _in_seconds(super().__sub__(other), other)

        def __rsub__(self, other: Any) -> ColumnOperators:  # noqa: ANN401
            return _in_seconds(super().__rsub__(other), other)

    def coerce_compared_value(self, op: operators.OperatorType | None, value: object) -> TypeEngine[Any]:
        if isinstance(value, timedelta):
            return _Seconds()
        return self if isinstance(value, datetime) else super().coerce_compared_value(op, value)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if not isinstance(value, datetime):
            raise TypeError(f"{value!r} is not a datetime. Use datetime.now(UTC), or datetime.fromtimestamp(…, UTC).")
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone. Use datetime.now(UTC), or add tzinfo=UTC if it is UTC.")
        return (value - _EPOCH) // _SECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401
        if value is None:
            return None
        try:
            return _EPOCH + timedelta(seconds=value)
        except (OverflowError, TypeError, ValueError):
            raise ValueError(f"the database holds {value!r}, which is not a time in Unix seconds.") from None


def _in_seconds(difference: ColumnOperators, other: object) -> ColumnOperators:
    """Return ``difference`` as a number if ``other`` is a time, too."""
    is_time = isinstance(other, datetime) or isinstance(getattr(other, "type", None), Timestamp)
    return type_coerce(difference, Integer) if is_time else difference


class BooleanInteger(_Decorated[bool]):
    """Store a bool as 0 or 1 in an INTEGER."""

    impl = Integer
    cache_ok = True
    coerce_to_is_types = (type(None), bool)

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:  # noqa: FBT001
        if value is None:
            return None
        if value not in (False, True):
            raise ValueError(f"{value!r} is not a bool. Use True or False.")
        return int(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:  # noqa: ANN401
        if value is None:
            return None
        if value not in (0, 1):
            raise ValueError(
                f"the database holds {value!r}, which is neither 0 nor 1. For a sum, use cast(column, Integer)."
            )
        return bool(value)


class _EnumType(_Decorated[_T]):
    """Store a member of an enum by its value, or one of a list of values."""

    __abstract__ = True
    cache_ok = True

    def __init__(self, allowed: type[_T] | Sequence[_T]) -> None:
        super().__init__()
        # SQLAlchemy makes its cache key of the attribute that has the parameter's name.
        self.allowed: type[_T] | tuple[_T, ...]
        self._members: dict[Any, Any]
        if not isinstance(allowed, type):
            self.allowed = tuple(allowed)
            self._members = {value: value for value in self.allowed}
        elif issubclass(allowed, Enum):
            self.allowed = allowed
            self._members = {member.value: member for member in allowed}
        else:
            raise TypeError(f"{allowed!r} is not an enum. Give a subclass of Enum, or a list of values.")

    def process_bind_param(self, value: _T | None, dialect: Dialect) -> Any:  # noqa: ANN401
        if value is None:
            return None
        plain = value.value if isinstance(value, Enum) else value
        is_of_another = isinstance(value, Enum) and isinstance(self.allowed, type) and type(value) is not self.allowed
        if is_of_another or plain not in self._members:
            raise ValueError(f"{value!r} is not a value of {self._name()}. {self._choices()}")
        return plain

    def process_result_value(self, value: Any, dialect: Dialect) -> _T | None:  # noqa: ANN401
        if value is None:
            return None
        try:
            return self._members[value]  # type: ignore[no-any-return]
        except KeyError:
            raise ValueError(
                f"the database holds {value!r}, which is not a value of {self._name()}. {self._choices()}"
            ) from None

    @property
    def sort_key_function(self) -> Callable[[Any], Any] | None:  # type: ignore[override]  # as in SQLAlchemy
        """Let SQLAlchemy sort rows by keys that are members of an enum, which have no order of their own."""
        return lambda value: value.value if isinstance(value, Enum) else value

    def _name(self) -> str:
        return self.allowed.__name__ if isinstance(self.allowed, type) else "this column"

    def _choices(self) -> str:
        return f"Its values are: {', '.join(map(repr, self._members))}."


class EnumText(_EnumType[_T]):
    """Store a member of an enum as its value in TEXT: ``EnumText(Color)``, or ``EnumText(["red", "blue"])``.

    The plain value is accepted, too, so that ``Table.color == "red"`` works. Any other value is an error.
    """

    impl = Text
    cache_ok = True


class EnumInteger(_EnumType[_T]):
    """Store a member of an enum as its value in an INTEGER; otherwise as :class:`EnumText`."""

    impl = Integer
    cache_ok = True


class Declared(UserDefinedType[Any]):
    """A column of any declared type, such as ``Declared("INT UNSIGNED")``, with values as SQLite returns them."""

    cache_ok = True

    def __init__(self, declared: str) -> None:
        self.declared = declared

    def get_col_spec(self, **_: object) -> str:
        return self.declared


class JsonText(JSON):
    """Store JSON in TEXT; ``column["key"]`` reads a part of it in SQL, as with SQLAlchemy's JSON.

    None is NULL; ``sqlalchemy.JSON.NULL`` is JSON's null. A change inside a dict or list is saved only if the attribute
    is assigned again, or if the type is ``MutableDict.as_mutable(JsonText)``.
    """

    cache_ok = True

    def __init__(self, none_as_null: bool = True) -> None:  # noqa: FBT001, FBT002 — as in SQLAlchemy
        super().__init__(none_as_null=none_as_null)


@compiles(JsonText)
def _json_ddl(*_: object, **__: object) -> str:
    return "TEXT"


class DecimalText(_Decorated[Decimal]):
    """Store a Decimal exactly, as TEXT without an exponent; an int is accepted, a float is an error.

    SQLite compares and sorts the texts: ``1.0`` and ``1.00`` differ, and ``10`` comes before ``9``. Use
    ``cast(column, Float)`` if an approximation is enough.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        number: object = value
        if isinstance(number, bool) or not isinstance(number, Decimal | int):
            raise TypeError(f"{value!r} is not an exact number. Use Decimal('…') or an int.")
        exact = Decimal(number)
        if not exact.is_finite():
            raise ValueError(f"{value!r} is not a number.")
        return format(exact, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401
        if isinstance(value, float):  # no column of TEXT holds one
            raise ValueError(  # noqa: TRY004 — the value is at fault, not the caller
                f"SQLite computed {value!r} in floating point, which is not exact. Compute with Decimals in Python, or "
                f"use cast(column, Float)."
            )
        try:
            return None if value is None else Decimal(value)
        except (InvalidOperation, TypeError):
            raise ValueError(f"the database holds {value!r}, which is not a decimal number.") from None


class UuidText(_Decorated[uuid.UUID]):
    """Store a UUID as TEXT, in lower case with hyphens; a text that is a UUID is accepted, too."""

    impl = Text
    cache_ok = True

    @property
    def sort_key_function(self) -> Callable[[Any], Any] | None:  # type: ignore[override]  # as in SQLAlchemy
        """Let SQLAlchemy sort rows by keys that are UUIDs or texts."""
        return str

    def process_bind_param(self, value: uuid.UUID | str | None, dialect: Dialect) -> str | None:
        return None if value is None else str(self._uuid(value, f"{value!r}"))

    def process_result_value(self, value: Any, dialect: Dialect) -> uuid.UUID | None:  # noqa: ANN401
        return None if value is None else self._uuid(value, f"the database holds {value!r}, which")

    @staticmethod
    def _uuid(value: object, what: str) -> uuid.UUID:
        try:
            return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
        except ValueError:
            raise ValueError(f"{what} is not a UUID.") from None
