"""SQLAlchemy types for the columns of schema.yaml, with the same DDL and the same stored values.

The types that convert values refuse a value that SQLite would store but that could not be loaded again. SQLAlchemy then
raises a ``StatementError``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
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
#: The operators whose other operand has the stored type, such as a pattern or a number of seconds.
_WITH_STORED_TYPE = frozenset(
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


class _EncodedType(TypeDecorator[_T]):
    """The base of types that store a Python value as TEXT or INTEGER; None is NULL.

    Operators such as LIKE work on the stored value. A subclass encodes and decodes values. Its ``_fault`` ends the
    message about a stored value that it can't decode.
    """

    __abstract__ = True
    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True
    _fault: str

    def _encode(self, value: Any) -> object:
        raise NotImplementedError

    def _decode(self, value: Any) -> _T:
        raise NotImplementedError

    def coerce_compared_value(self, op: operators.OperatorType | None, value: object) -> TypeEngine[Any]:
        return self.impl_instance.coerce_compared_value(op, value) if op in _WITH_STORED_TYPE else self

    def process_bind_param(self, value: _T | None, dialect: Dialect) -> object:
        return None if value is None else self._encode(value)

    def process_result_value(self, value: object, dialect: Dialect) -> _T | None:
        try:
            return None if value is None else self._decode(value)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            raise ValueError(f"the database holds {value!r}, which {self._fault}") from None


class _Seconds(TypeDecorator[timedelta]):
    """A timedelta that SQL adds to or subtracts from a time, in seconds."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        return None if value is None else value // _SECOND


class Timestamp(_EncodedType[datetime]):
    """Store an aware datetime as Unix seconds in an INTEGER, and return it in UTC.

    Fractions of a second are dropped, so that a stored time is never later than the original. A datetime without a time
    zone is an error. In SQL expressions, you can add a ``timedelta``, and the difference of two times is in seconds.
    """

    impl = Integer
    cache_ok = True

    class comparator_factory(TypeDecorator.Comparator[datetime]):  # noqa: D106, N801 — SQLAlchemy's name
        def __sub__(self, other: Any) -> ColumnOperators:
            return _in_seconds(super().__sub__(other), other)

        def __rsub__(self, other: Any) -> ColumnOperators:
            return _in_seconds(super().__rsub__(other), other)

    def coerce_compared_value(self, op: operators.OperatorType | None, value: object) -> TypeEngine[Any]:
        if isinstance(value, timedelta):
            return _Seconds()
        return self if isinstance(value, datetime) else super().coerce_compared_value(op, value)

    _fault = "is not a time in Unix seconds."

    def _encode(self, value: object) -> int:
        if not isinstance(value, datetime):
            raise TypeError(f"{value!r} is not a datetime. Use datetime.now(UTC), or datetime.fromtimestamp(…, UTC).")
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone. Use datetime.now(UTC), or add tzinfo=UTC if it is UTC.")
        return (value - _EPOCH) // _SECOND

    def _decode(self, value: Any) -> datetime:
        return _EPOCH + timedelta(seconds=value)


def _in_seconds(difference: ColumnOperators, other: object) -> ColumnOperators:
    """Return ``difference`` as a number of seconds if ``other`` is a time, else unchanged."""
    is_time = isinstance(other, datetime) or isinstance(getattr(other, "type", None), Timestamp)
    return type_coerce(difference, Integer) if is_time else difference


class BooleanInteger(_EncodedType[bool]):
    """Store a bool as 0 or 1 in an INTEGER."""

    impl = Integer
    cache_ok = True
    coerce_to_is_types = (type(None), bool)

    _fault = "is neither 0 nor 1. For a sum, use cast(column, Integer)."

    def _encode(self, value: Any) -> int:
        if value not in (False, True):
            raise ValueError(f"{value!r} is not a bool. Use True or False.")
        return int(value)

    def _decode(self, value: Any) -> bool:
        return {0: False, 1: True}[value]


class _EnumType(_EncodedType[_T]):
    """Store a member of an enum by its value, or one of a list of values."""

    __abstract__ = True
    cache_ok = True

    def __init__(self, allowed: type[_T] | Sequence[_T]) -> None:
        super().__init__()
        # SQLAlchemy's cache key contains this attribute, because it has the name of the parameter.
        self.allowed: type[_T] | tuple[_T, ...]
        self._members: dict[Any, _T]
        if not isinstance(allowed, type):
            self.allowed = tuple(allowed)
            self._members = {value: value for value in self.allowed}
        elif issubclass(allowed, Enum):
            self.allowed = allowed
            self._members = {member.value: member for member in allowed}
        else:
            raise TypeError(f"{allowed!r} is not an enum. Give a subclass of Enum, or a list of values.")
        name = allowed.__name__ if isinstance(allowed, type) else "this column"
        self._fault = f"is not a value of {name}. Its values are: {', '.join(map(repr, self._members))}."

    def _encode(self, value: object) -> object:
        plain = value.value if isinstance(value, Enum) else value
        has_wrong_type = isinstance(value, Enum) and isinstance(self.allowed, type) and type(value) is not self.allowed
        if has_wrong_type or plain not in self._members:
            raise ValueError(f"{value!r} {self._fault}")
        return plain

    def _decode(self, value: object) -> _T:
        return self._members[value]

    @property
    def sort_key_function(self) -> Callable[[Any], Any] | None:  # type: ignore[override]  # as in SQLAlchemy
        """Return a function by which SQLAlchemy sorts primary keys; members of an enum can't be compared."""
        return lambda value: value.value if isinstance(value, Enum) else value


class EnumText(_EnumType[_T]):
    """Store a member of an enum as its value in TEXT: ``EnumText(Color)``, or ``EnumText(["red", "blue"])``.

    The plain value is accepted, too, so that ``Table.color == "red"`` works. Any other value is an error.
    """

    impl = Text
    cache_ok = True


class EnumInteger(_EnumType[_T]):
    """Store a member of an enum as its value in an INTEGER; otherwise like :class:`EnumText`."""

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


class DecimalText(_EncodedType[Decimal]):
    """Store a Decimal exactly, as TEXT without an exponent; an int is accepted, a float is an error.

    SQLite compares and sorts the texts: ``1.0`` and ``1.00`` differ, and ``10`` comes before ``9``. Use
    ``cast(column, Float)`` if an approximation is enough.
    """

    impl = Text
    cache_ok = True

    _fault = "is not a decimal number."

    def _encode(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, Decimal | int):
            raise TypeError(f"{value!r} is not an exact number. Use Decimal('…') or an int.")
        exact = Decimal(value)
        if not exact.is_finite():
            raise ValueError(f"{value!r} is not a number.")
        return format(exact, "f")

    def _decode(self, value: Any) -> Decimal:
        return Decimal(value)

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        if isinstance(value, float):  # SQLite computed it: a TEXT column stores no floats
            raise ValueError(  # noqa: TRY004 — the value is at fault, not the caller
                f"SQLite computed {value!r} in floating point, which is not exact. Compute with Decimals in Python, or "
                f"use cast(column, Float)."
            )
        return super().process_result_value(value, dialect)


class UuidText(_EncodedType[uuid.UUID]):
    """Store a UUID as TEXT, in lower case with hyphens; a text that is a UUID is accepted, too."""

    impl = Text
    cache_ok = True

    @property
    def sort_key_function(self) -> Callable[[Any], Any] | None:  # type: ignore[override]  # as in SQLAlchemy
        """Return a function by which SQLAlchemy sorts primary keys, which may be UUIDs or texts."""
        return str

    _fault = "is not a UUID."

    def _encode(self, value: object) -> str:
        try:
            return str(self._decode(value))
        except ValueError:
            raise ValueError(f"{value!r} {self._fault}") from None

    def _decode(self, value: object) -> uuid.UUID:
        return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
