"""Laws that hold between any two schemas, whatever the rows."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mutations import Field, World, edited, rows, worlds
from tests.support.strategies import schemas
from tests.support.transitions import (
    Row,
    apply_with_runner,
    declared,
    generate,
    is_sound,
    left_to_do,
    orphans,
    roll_back_with_runner,
    schema_of,
    sequences,
    snapshot,
    typed,
    write_schema,
)
from waiaas_migrate.authoring.declared import build
from waiaas_migrate.authoring.draft import changes_of, draft
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.authoring.migration_proof import prove
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions
from waiaas_migrate.sqlite.reading.introspect import introspect

RENDERER = Renderer()


@pytest.mark.parametrize("catalog_edits", [True, False], ids=["edits", "rebuilds"])
@settings(max_examples=30)
@given(old=schemas(), new=schemas())
def test_any_schema_becomes_any_other(old: Schema, new: Schema, catalog_edits: bool) -> None:  # noqa: FBT001
    """The migration gives the declared schema, and its rollback the one before, also with sample rows; yoyo can read it.

    ``generate`` proves this before it writes. Planning again finds nothing to do.
    """
    with closing(build(old, RENDERER, file="old")) as before, closing(build(new, RENDERER, file="new")) as wanted:
        declared = introspect(wanted)
        options = PlanOptions(catalog_edits=catalog_edits)
        transition = make_transition(before, declared, Renames(), RENDERER, options)
        if not changes_of(transition):
            assert diff(introspect(before), declared) == ()
            return
        text = draft(before, transition, (), (), RENDERER).migration
        prove(before, transition, text)


@pytest.mark.parametrize("foreign_keys", [True, False], ids=["enforced", "not enforced"])
@settings(max_examples=30)
@given(data=st.data())
def test_rows_survive_any_edits(data: st.DataObject, foreign_keys: bool) -> None:  # noqa: FBT001
    """Rows keep values, storage classes, rowids and high-water marks, and children their parents, there and back.

    The runner's connection enforces foreign keys or not.
    """
    world = data.draw(worlds())
    after = data.draw(edited(world))
    with tempfile.TemporaryDirectory() as place:
        folder, database = Path(place), Path(place, "a.db")
        write_schema(folder, world.body())
        generate(folder, "first")
        apply_with_runner(folder, database)
        put_in(data, database, world, after)
        before, marks, orphaned, schema = (
            snapshot(database),
            sequences(database),
            orphans(database),
            schema_of(database),
        )
        write_schema(folder, after.body())
        if generate(folder, "second").migration is None:
            return
        apply_with_runner(folder, database, foreign_keys=foreign_keys)
        assert left_to_do(database, declared(folder)) == []
        assert is_sound(database)
        check_carried_over(before, snapshot(database), after)
        check_marks(marks, sequences(database), after)
        assert orphans(database) <= orphaned
        assert generate(folder, "third").migration is None
        roll_back_with_runner(folder, database)
        assert diff(schema_of(database), schema) == ()
        check_back(before, snapshot(database), after)


def put_in(data: st.DataObject, database: Path, world: World, after: World) -> None:
    """Insert rows, orphans among them, and delete some, so that high-water marks are higher than keys.

    Delete orphans whose foreign key is dropped, because it could not be created again with them.
    """
    has_key = {
        one.was: any("references" in column.spec for column in one.fields.values()) for one in after.relations.values()
    }
    with closing(sqlite3.connect(database)) as connection:
        for name, relation in world.relations.items():
            for row in data.draw(rows(relation)):
                names = ", ".join(f'"{column}"' for column in row)
                marks = ", ".join("?" * len(row))
                statement = f'INSERT OR IGNORE INTO "{name}" ({names}) VALUES ({marks})'
                connection.execute(statement, tuple(row.values()))
            connection.execute(f'DELETE FROM "{name}" WHERE "{next(iter(relation.fields))}" = 500')
        for name, relation in world.relations.items():
            if "parent" in relation.fields and not has_key[name]:
                connection.execute(f'DELETE FROM "{name}" WHERE parent NOT IN (SELECT id FROM t0)')
        connection.execute("DELETE FROM log")
        connection.commit()


Tables = dict[str, dict[str, list[Row]]]


def check_carried_over(before: Tables, found: Tables, world: World) -> None:
    """Check that columns keep their values, except for what their hints change, and that no trigger fired."""
    for name, relation in world.relations.items():
        for column, one in relation.fields.items():
            if relation.was is None or one.was is None or not one.is_comparable or "generated" in one.spec:
                continue
            wanted = [value_after(row, one) for row in before[relation.was][one.was]]
            rows_found = found[name.lower()][column.lower()]
            assert typed(map(by_rowid, rows_found)) == typed(map(by_rowid, wanted)), f"{name}.{column}"
    assert found["log"]["said"] == []


def value_after(row: Row, one: Field) -> Row:
    """Return a row of one column as its hints change it."""
    assert one.was is not None
    value = row[one.was]
    value = one.mapped.get(value, value)
    return {**row, one.was: one.filled if value is None else value}


def by_rowid(row: Row) -> Row:
    """Return a row of one column with its rowid, if it has one, without the column's name."""
    (value,) = (value for name, value in row.items() if name != "rowid")
    return {"rowid": row.get("rowid"), "value": value}


def check_marks(before: list[Row], found: list[Row], world: World) -> None:
    """Check that AUTOINCREMENT continues where it was."""
    now = {mark["name"]: mark["seq"] for mark in found}
    was = {mark["name"]: mark["seq"] for mark in before}
    for name, relation in world.relations.items():
        if relation.was in was:
            assert now.get(name) == was[relation.was]


def check_back(before: Tables, found: Tables, world: World) -> None:
    """Check that unchanged columns have their old values after the rollback."""
    for relation in world.relations.values():
        for one in relation.fields.values():
            kept = one.is_comparable and not one.mapped and one.filled is None and "generated" not in one.spec
            if relation.was is not None and one.was is not None and kept:
                assert typed(found[relation.was][one.was]) == typed(before[relation.was][one.was])
