"""The length of generated files, which a reviewer must read, for the shipped schema and for another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.transitions import generate, write_schema

SHIPPED = Path(__file__).parents[2] / "schema.yaml"

Spec = dict[str, Any]


def shipped() -> Spec:
    """Return the tables of the shipped schema, with enums as lists of values."""
    from waiaas_migrate.waiaas import enums

    tables: Spec = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["tables"]
    for table in tables.values():
        for column in table["columns"].values():
            if isinstance(column, dict) and isinstance(column.get("enum"), str):
                column["enum"] = list(getattr(enums, column["enum"]))
    return tables


def shop() -> Spec:
    """Return another schema: four tables with the same enum, and other rules."""
    states = {"type": "text", "nullable": False, "enum": ["new", "paid", "void"]}
    tables: Spec = {
        name: {
            "columns": {
                "id": {"type": "integer", "primary_key": True},
                "state": dict(states),
                "note": "text",
                "total": {"type": "integer", "check": "total >= 0"},
            }
        }
        for name in ("orders", "invoices", "refunds", "parcels")
    }
    tables["invoices"]["columns"]["order_id"] = {"type": "integer", "references": "orders.id"}
    return tables


def column(tables: Spec, table: str, name: str, **spec: object) -> None:
    """Set properties of a column, or add it."""
    found = tables[table]["columns"].get(name, {})
    tables[table]["columns"][name] = {**(found if isinstance(found, dict) else {"type": found}), **spec}


def one_value(tables: Spec) -> None:
    """Add a value to an enum of one table."""
    table, name = ("agents", "network") if "agents" in tables else ("orders", "state")
    column(tables, table, name, enum=[*tables[table]["columns"][name]["enum"], "more"])


def one_value_in_four(tables: Spec) -> None:
    """Add a value to an enum of four tables."""
    names = (
        [("agents", "status"), ("transactions", "type"), ("policies", "type"), ("audit_log", "severity")]
        if "agents" in tables
        else [(name, "state") for name in tables]
    )
    for table, name in names:
        found = tables[table]["columns"][name]
        if "enum" in found:
            column(tables, table, name, enum=[*found["enum"], "more"])
        else:
            found["check"] = found["check"].replace(")", ", 'more')")


def renamed_value(tables: Spec) -> None:
    """Rename a value of an enum in two tables."""
    names = (
        [("agents", "status", "ACTIVE"), ("transactions", "status", "QUEUED")]
        if "agents" in tables
        else [("orders", "state", "void"), ("refunds", "state", "void")]
    )
    for table, name, old in names:
        values = [value if value != old else "open" for value in tables[table]["columns"][name]["enum"]]
        column(tables, table, name, enum=values, enum_values={"renamed": {old: "open"}})


def not_null_with_backfill(tables: Spec) -> None:
    """Add a NOT NULL column with values from another column."""
    table, source = ("agents", "name") if "agents" in tables else ("orders", "note")
    column(tables, table, "slug", type="text", nullable=False, backfill=f"lower(coalesce({source}, ''))")


def foreign_key_gains_action(tables: Spec) -> None:
    """Give a foreign key an ON DELETE."""
    if "agents" in tables:
        column(
            tables, "transactions", "agent_id", references={"table": "agents", "column": "id", "on_delete": "cascade"}
        )
    else:
        column(tables, "invoices", "order_id", references={"table": "orders", "column": "id", "on_delete": "cascade"})


def unique_column(tables: Spec) -> None:
    """Make a column unique, which needs a rebuild."""
    column(tables, *(("transactions", "error") if "agents" in tables else ("orders", "note")), unique=True)


def nullable_column(tables: Spec) -> None:
    """Add a column without rules."""
    column(tables, "agents" if "agents" in tables else "orders", "nickname", type="text")


def renamed_column(tables: Spec) -> None:
    """Rename a column."""
    table, old = ("key_value_store", "value") if "agents" in tables else ("orders", "note")
    found = tables[table]["columns"].pop(old)
    tables[table]["columns"]["renamed"] = {
        **(found if isinstance(found, dict) else {"type": found}),
        "renamed_from": old,
    }


def added_index(tables: Spec) -> None:
    """Add an index."""
    table, name = ("agents", "name") if "agents" in tables else ("orders", "note")
    tables[table].setdefault("indexes", {})["by_name"] = [name]


@pytest.mark.parametrize("schema", [shipped, shop])
@pytest.mark.parametrize(
    ("change", "most"),
    [
        (one_value, 20),
        (one_value_in_four, 45),
        (renamed_value, 45),
        (not_null_with_backfill, 25),
        (foreign_key_gains_action, 20),
        (unique_column, 65),
        (nullable_column, 5),
        (renamed_column, 5),
        (added_index, 5),
    ],
)
def test_generated_files_are_short(tmp_path: Path, schema: Any, change: Any, most: int) -> None:  # noqa: ANN401
    """Neither file of a migration is longer than its budget."""
    tables = schema()
    write_schema(tmp_path, {"tables": tables})
    generate(tmp_path, "first")
    change(tables)
    write_schema(tmp_path, {"tables": tables})
    assert generate(tmp_path, "second").migration == "0002_second"
    for ending in (".sql", ".rollback.sql"):
        text = (tmp_path / "migrations" / f"0002_second{ending}").read_text(encoding="utf-8")
        assert len(text.splitlines()) <= most, text
