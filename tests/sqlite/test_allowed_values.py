"""The list of values in a CHECK is recognized, and nothing else is mistaken for one."""

from __future__ import annotations

import pytest

from waiaas_migrate.schema.model import AllowedValues
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.allowed_values import allowed_values


@pytest.mark.parametrize(
    ("sql", "values", "nullable"),
    [
        ("a IN ('x''', 1, -2)", ("x'", 1, -2), False),
        ('("A") IN (("x"), (7))', None, False),  # "x" may be a column
        ("A IS NULL OR (a IN (1))", (1,), True),
        ("a ISNULL OR a IN (1)", (1,), True),
        ("b IS NULL OR a IN (1)", None, False),
        ("a IS NOT NULL OR a IN (1)", None, False),
        ("a IS 1 OR a IN (1)", None, False),
        ("a IN (1) OR a IN (2)", (1, 2), False),
        ("a = 'x' OR (a == 'y' OR a IS NULL)", ("x", "y"), True),
        ("a IN (1) OR a ISNULL", (1,), True),
        ("a = 1 OR b = 2", None, False),
        ("a = 1 OR a > 2", None, False),
        ("a = 1 OR a <> 2", None, False),
        ("a IS 1 OR a = 2", None, False),
        ("a = 1 OR a = NULL", None, False),
        ("a = 1 AND a = 2", None, False),
        ("a ISNULL OR b ISNULL", None, False),
        ("a NOT IN (1)", None, False),
        ("t.a IN (1)", None, False),
        ("a IN ()", None, False),
        ("a IN (NULL)", None, False),
        ("a IN (0x10)", None, False),
        ("a IN (1.5)", None, False),
        ("a IN (SELECT 1)", None, False),
    ],
)
def test_lists_are_recognized(sql: str, values: tuple[str | int, ...] | None, *, nullable: bool) -> None:
    """Only a column among strings and whole numbers counts, with or without IS NULL, as a list or joined by OR."""
    expected = None if values is None else AllowedValues(column="a", values=values, nullable=nullable)
    assert allowed_values(ddl.read_expression(sql)) == expected
