"""``inspect --enums`` links the lists in CHECKs to the application's enums without changing the schema's meaning."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.projects import edit, execute, rows, run
from waiaas_migrate.sqlite.database.catalog import read_catalog

ENUMS = """\
import enum


class Currency(enum.Enum):
    EUR = "EUR"
    USD = "USD"


class OrderStatus(enum.StrEnum):
    OPEN = "open"
    PAID = "paid"
    DONE = "done"
"""
#: As SQLAlchemy writes it: VARCHAR columns, and named CHECKs after the columns that don't mention NULL.
CUSTOMERS = """\
CREATE TABLE customers (
	id INTEGER NOT NULL,
	name VARCHAR(100) NOT NULL,
	currency VARCHAR(3),
	PRIMARY KEY (id),
	CONSTRAINT customer_currency CHECK (currency IN ('EUR', 'USD'))
)"""
ORDERS = """\
CREATE TABLE orders (
	id INTEGER NOT NULL,
	customer_id INTEGER NOT NULL,
	status VARCHAR(4) DEFAULT 'open' NOT NULL CHECK (status = 'done' OR status = 'open' OR status = 'paid'),
	PRIMARY KEY (id),
	FOREIGN KEY(customer_id) REFERENCES customers (id)
)"""
LINKED = """\
version: 1

enums: app_enums

tables:
  customers:
    columns:
      id: {type: integer, nullable: false}
      name: {type: VARCHAR(100), nullable: false}
      currency: {type: VARCHAR(3), enum: {name: Currency, constraint: customer_currency}}
    primary_key: [id]

  orders:
    columns:
      id: {type: integer, nullable: false}
      customer_id: {type: integer, nullable: false}
      status: {type: VARCHAR(4), nullable: false, default: open, enum: OrderStatus}
    primary_key: [id]
    foreign_keys: [{column: customer_id, references: customers.id}]
"""


def project_with(folder: Path, *statements: str, enums: str = ENUMS) -> Path:
    """Write ``app.db`` with ``statements``, and the enums as ``app_enums.py``."""
    for statement in statements:
        execute(folder / "app.db", statement)
    (folder / "app_enums.py").write_text(enums, encoding="utf-8")
    return folder


def column(folder: Path, name: str) -> str:
    """Return the lines that ``inspect`` writes for a column, and those that it prints to stderr."""
    done = run(folder, "inspect", "app.db", "--enums-module", "app_enums")
    assert done.status == 0
    (line,) = (line.strip() for line in done.out.splitlines() if line.strip().startswith(f"{name}: "))
    return "\n".join([line, *done.err.splitlines()])


def test_linking_is_no_migration_and_a_new_value_is_one_edit(tmp_path: Path) -> None:
    """A database made by SQLAlchemy equals its linked schema.yaml; a new value changes one CHECK."""
    project = project_with(tmp_path, CUSTOMERS, ORDERS, "INSERT INTO customers VALUES (1, 'Ann', 'EUR')")
    done = run(project, "inspect", "app.db", "--enums-module", "app_enums", "-o", "schema.yaml")
    assert (done.status, done.err) == (0, "wrote schema.yaml\n")
    assert (project / "schema.yaml").read_text(encoding="utf-8") == LINKED
    assert run(project, "diff", "app.db", "schema.yaml").out == "No differences.\n"
    assert run(project, "generate", "-m", "initial").status == 0
    assert run(project, "diff", "app.db", "migrations").status == 0
    assert run(project, "apply", "new.db").status == 0

    edit(project / "app_enums.py", '    USD = "USD"\n', '    USD = "USD"\n    CHF = "CHF"\n')
    assert run(project, "diff", "app.db", "schema.yaml").out == "customers.currency: allow 'CHF'\n"
    assert run(project, "check").out.startswith("enum (1 finding)\n  Currency: value 'CHF' is in app_enums.py:7, but")
    done = run(project, "generate", "-m", "francs")
    assert (done.status, done.out) == (0, "customers.currency: allow 'CHF'\n")
    text = (project / "migrations" / "0002_francs.sql").read_text(encoding="utf-8")
    assert text.count("UPDATE sqlite_schema") == 1
    assert "CREATE TABLE customers" not in text
    assert "'CONSTRAINT customer_currency CHECK (" in text
    assert run(project, "apply", "new.db").status == 0
    execute(project / "new.db", "INSERT INTO customers VALUES (1, 'Bo', 'CHF'), (2, 'Cy', NULL)")
    with pytest.raises(sqlite3.IntegrityError, match="customer_currency"):
        execute(project / "new.db", "INSERT INTO customers VALUES (3, 'Di', 'XXX')")
    assert run(project, "generate").out.startswith("Nothing to generate")


def test_a_database_with_other_wordings_is_carried_on(tmp_path: Path) -> None:
    """A database with other wordings of the same lists gets the new value, too, and keeps its rows."""
    project = project_with(tmp_path, CUSTOMERS, ORDERS, "INSERT INTO customers VALUES (1, 'Ann', 'EUR')")
    assert run(project, "inspect", "app.db", "--enums-module", "app_enums", "-o", "schema.yaml").status == 0
    assert run(project, "generate", "-m", "initial").status == 0
    assert run(project, "apply", "new.db").status == 0
    edit(project / "app_enums.py", '    USD = "USD"\n', '    USD = "USD"\n    CHF = "CHF"\n')
    assert run(project, "generate", "-m", "francs").status == 0
    with closing(sqlite3.connect(project / "new.db")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for row in read_catalog(connection):
            wanted = {"customers": CUSTOMERS, "orders": ORDERS}.get(row.name, row.sql)
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (wanted, row.name))
        connection.commit()
    execute(project / "new.db", "INSERT INTO customers VALUES (1, 'Ann', 'EUR')")
    done = run(project, "apply", "new.db")
    assert done.status == 0, done.err
    execute(project / "new.db", "UPDATE customers SET currency = 'CHF'")
    assert run(project, "drift", "new.db").status == 0


@pytest.mark.parametrize(
    "check",
    [
        "CHECK (status IN ('open', 'paid', 'done'))",
        "CHECK (status IN ('done', 'paid', 'open'))",
        "CHECK (status IS NULL OR status IN ('open', 'paid', 'done'))",
        "CHECK (status IN ('open', 'paid', 'done') OR status ISNULL)",
        "CHECK (status = 'open' OR status == 'paid' OR status = 'done')",
        "CHECK ((\"status\" IN ('open')) OR t.status IN ('paid', 'done'))",
        ", CHECK (status IN ('open', 'paid', 'done'))",
        ", CHECK (status IS NULL OR status = 'open' OR status = 'paid' OR status = 'done')",
    ],
)
@pytest.mark.parametrize("nullable", ["", " NOT NULL"])
@pytest.mark.parametrize("name", ["", " CONSTRAINT known"])
def test_every_wording_is_linked(tmp_path: Path, check: str, nullable: str, name: str) -> None:
    """A list is linked whether it is on a column or on the table, named or not, nullable or not.

    Afterwards nothing differs.
    """
    comma = ", " if check.startswith(",") else ""
    project_with(tmp_path, f"CREATE TABLE t (status TEXT{nullable}{comma}{name} {check.removeprefix(',')})")
    enum = "{name: OrderStatus, constraint: known}" if name else "OrderStatus"
    not_null = "nullable: false, " if nullable else ""
    assert column(tmp_path, "status") == f"status: {{type: text, {not_null}enum: {enum}}}"
    assert run(tmp_path, "inspect", "app.db", "--enums-module", "app_enums", "-o", "schema.yaml").status == 0
    assert run(tmp_path, "diff", "app.db", "schema.yaml").out == "No differences.\n"


@pytest.mark.parametrize(
    ("check", "remark"),
    [
        ("status IN ('open', 'paid')", "lacks 'done'"),
        ("status IN ('open', 'paid', 'done', 'void')", "also has 'void'"),
    ],
)
def test_almost_equal_lists_are_reported(tmp_path: Path, check: str, remark: str) -> None:
    """A list with one value more or less is reported on stderr and in a comment, and stays as it is."""
    project_with(tmp_path, f"CREATE TABLE orders (status TEXT NOT NULL CONSTRAINT known CHECK ({check}))")
    line, remarked = column(tmp_path, "status").splitlines()
    assert "{values: [open, paid" in line
    assert remarked == (
        f"orders.status: its list is almost OrderStatus of app_enums, but {remark}. To use the enum, write "
        f"`enum: {{name: OrderStatus, constraint: known}}` and run `generate`."
    )
    head = run(tmp_path, "inspect", "app.db", "--enums-module", "app_enums").out.partition("\nversion: 1\n")[0]
    assert " ".join(head.replace("# ", "").split()) == remarked
    assert run(tmp_path, "inspect", "app.db", "--enums-module", "app_enums", "-o", "schema.yaml").status == 0
    assert run(tmp_path, "diff", "app.db", "schema.yaml").out == "No differences.\n"


def test_a_list_that_differs_more_is_left_alone(tmp_path: Path) -> None:
    """A list with two values more or less, or one replaced value, isn't reported as almost equal."""
    project_with(tmp_path, "CREATE TABLE orders (status TEXT NOT NULL CHECK (status IN ('open', 'paid', 'void')))")
    assert column(tmp_path, "status") == "status: {type: text, nullable: false, enum: [open, paid, void]}"


TWINS = """\
from enum import Enum

SALE_STATES = ("new", "done")
RentalState = Enum("RentalState", {"NEW": "new", "DONE": "done"})
RENTAL_STATES = ("new", "done")
"""


@pytest.mark.parametrize(
    ("table", "enum"),
    [
        ("CREATE TABLE t (rental_state TEXT NOT NULL CHECK (rental_state IN ('new', 'done')))", "RENTAL_STATES"),
        ("CREATE TABLE sales (rental_state TEXT NOT NULL CHECK (rental_state IN ('new', 'done')))", None),
        ("CREATE TABLE sales (a_state TEXT NOT NULL CHECK (a_state IN ('new', 'done')))", "SALE_STATES"),
        ("CREATE TABLE t (a_state TEXT CONSTRAINT of_rental CHECK (a_state IN ('new', 'done')))", "RENTAL_STATES"),
        ("CREATE TABLE t (a_state TEXT NOT NULL CHECK (a_state IN ('new', 'done')))", None),
        ("CREATE TABLE t (other_state TEXT NOT NULL CHECK (other_state IN ('new', 'done')))", None),
    ],
)
def test_of_enums_with_equal_values_the_likest_name_is_taken(tmp_path: Path, table: str, enum: str | None) -> None:
    """Of enums with equal values, words of the table, column and constraint decide.

    If they don't, that is reported and the list stays.
    """
    project_with(tmp_path, table, enums=TWINS)
    name = table.partition("(")[2].split()[0]
    written, *remarks = column(tmp_path, name).splitlines()
    if enum is not None:
        assert f"enum: {enum}" in written or f"enum: {{name: {enum}, constraint: of_rental}}" in written
        assert remarks == []
    else:
        assert "enum: [new, done]" in written
        assert " have the same values. Write `enum: NAME` with the one that is meant." in remarks[0]
        assert "`SALE_STATES`" in remarks[0]


MEMBERS = """\
import enum


class OrderStatus(enum.Enum):
    OPEN = "open"
    DONE = "done"


class Color(enum.Enum):
    RED = (255, 0, 0)
    LIME = (0, 255, 0)


SIZES = ("S", "M")
"""


def test_names_of_members_are_linked(tmp_path: Path) -> None:
    """SQLAlchemy stores the names of enum members unless told otherwise, so the members' values may be anything."""
    checks = "CONSTRAINT s CHECK (status IN ('OPEN', 'DONE')), CHECK (color IN ('RED', 'LIME'))"
    project = project_with(tmp_path, f"CREATE TABLE orders (status TEXT, color TEXT, {checks})", enums=MEMBERS)
    assert column(project, "status") == "status: {type: text, enum: {name: OrderStatus, stores: names, constraint: s}}"
    assert column(project, "color") == "color: {type: text, enum: {name: Color, stores: names}}"
    assert run(project, "inspect", "app.db", "--enums-module", "app_enums", "-o", "schema.yaml").status == 0
    assert run(project, "diff", "app.db", "schema.yaml").out == "No differences.\n"
    assert run(project, "generate").status == 0
    edit(project / "app_enums.py", '    DONE = "done"\n', '    DONE = "done"\n    VOID = "void"\n')
    assert run(project, "check").out.startswith(
        "enum (1 finding)\n  OrderStatus: value 'VOID' is in app_enums.py:4, but"
    )
    assert run(project, "generate").out == "orders.status: allow 'VOID'\n"


def test_almost_the_names_of_members(tmp_path: Path) -> None:
    """A list with one member name more or less is reported, too."""
    project_with(tmp_path, "CREATE TABLE orders (status TEXT NOT NULL CHECK (status IN ('OPEN')))", enums=MEMBERS)
    line, remark = column(tmp_path, "status").splitlines()
    assert line == "status: {type: text, nullable: false, enum: [OPEN]}"
    assert "but lacks 'DONE'. To use the enum, write `enum: {name: OrderStatus, stores: names}` and run" in remark


def test_only_an_enum_has_names(tmp_path: Path) -> None:
    """``stores: names`` with a tuple is an error with its place."""
    project_with(tmp_path, enums=MEMBERS)
    text = (
        "version: 1\nenums: app_enums\ntables:\n  t: {columns: {a: {type: text, enum: {name: SIZES, stores: names}}}}\n"
    )
    (tmp_path / "schema.yaml").write_text(text, encoding="utf-8")
    done = run(tmp_path, "generate")
    problem = "`SIZES` is not an enum class, so it has no names. Remove `stores`."
    assert (done.status, done.err) == (2, f"Error: schema.yaml:4:46, tables.t.columns.a.enum.name: {problem}\n")


def test_zero_and_one_are_linked_only_by_name(tmp_path: Path) -> None:
    """A list of 0 and 1 is linked to an enum with these values only if their names are alike."""
    table = "CREATE TABLE t (active INT NOT NULL CHECK (active IN (0, 1)), side INT CHECK (side IN (0, 1)))"
    project_with(tmp_path, table, enums="SIDES = (0, 1)\n")
    assert column(tmp_path, "active") == "active: {type: INT, nullable: false, enum: [0, 1]}"
    assert column(tmp_path, "side") == "side: {type: INT, enum: SIDES}"


def test_modules_come_from_schema_yaml(tmp_path: Path) -> None:
    """Without --enums-module, the modules are those that the project's schema.yaml names."""
    project = project_with(tmp_path, CUSTOMERS, ORDERS)
    (project / "schema.yaml").write_text("version: 1\nenums: [app_enums]\n", encoding="utf-8")
    assert run(project, "inspect", "app.db", "--enums").out == LINKED
    assert "Currency" not in run(project, "inspect", "app.db").out


@pytest.mark.parametrize("text", [None, "version: 1\n"])
def test_without_a_module_the_message_says_what_to_do(tmp_path: Path, text: str | None) -> None:
    """If neither schema.yaml nor an option names a module, the command is refused, and nothing is written."""
    project = project_with(tmp_path, ORDERS)
    if text is not None:
        (project / "schema.yaml").write_text(text, encoding="utf-8")
    done = run(project, "inspect", "app.db", "--enums", "-o", "out.yaml")
    assert (done.status, done.out) == (2, "")
    assert "no module is named. Add `--enums-module app.enums`, or `enums: app.enums` in schema.yaml." in done.err
    assert not (project / "out.yaml").exists()


def test_a_named_list_is_edited_with_hints(tmp_path: Path) -> None:
    """A list of values with a named CHECK takes ``enum_values``, and keeps the name when it changes."""
    project = project_with(tmp_path)
    schema = "version: 1\ntables:\n  t: {columns: {s: {type: text, enum: {values: [a, b], constraint: known}}}}\n"
    (project / "schema.yaml").write_text(schema, encoding="utf-8")
    assert run(project, "generate").status == 0
    assert run(project, "apply", "app.db").status == 0
    execute(project / "app.db", "INSERT INTO t VALUES ('a'), ('b')")
    edit(
        project / "schema.yaml",
        "[a, b], constraint: known}",
        "[a, c], constraint: known}, enum_values: {renamed: {b: c}}",
    )
    assert run(project, "generate").out.startswith("t.s: allow 'c' and no longer allow 'b'\n")
    assert run(project, "apply", "app.db").status == 0
    with pytest.raises(sqlite3.IntegrityError, match="known"):
        execute(project / "app.db", "INSERT INTO t VALUES ('b')")
    with closing(sqlite3.connect(project / "app.db")) as connection:
        assert connection.execute("SELECT s FROM t").fetchall() == [("a",), ("c",)]


@pytest.mark.parametrize(
    "check",
    [
        "CHECK (status IN ('open', 'paid'))",
        "CHECK (status IS NULL OR status IN ('open', 'paid'))",
        "CHECK (status IN ('open', 'paid') OR status ISNULL)",
        "CHECK (status = 'open' OR status = 'paid')",
        ", CHECK (status IN ('open', 'paid'))",
        ", CHECK (status IS NULL OR status IN ('open', 'paid'))",
    ],
)
@pytest.mark.parametrize("nullable", ["", " NOT NULL"])
@pytest.mark.parametrize("name", ["", " CONSTRAINT known"])
def test_without_enums_every_wording_is_kept(tmp_path: Path, check: str, nullable: str, name: str) -> None:
    """Without ``--enums``, a list keeps its wording and its place."""
    comma = ", " if check.startswith(",") else ""
    execute(
        tmp_path / "app.db", f"CREATE TABLE t (status TEXT{nullable}{comma}{name} {check.removeprefix(',').strip()})"
    )
    assert run(tmp_path, "inspect", "app.db", "-o", "schema.yaml").status == 0
    assert run(tmp_path, "generate").status == 0
    assert run(tmp_path, "apply", "new.db").status == 0
    (made,) = rows(tmp_path / "new.db", "SELECT sql FROM sqlite_master WHERE name = 't'")[0]
    assert f"{name} {check.removeprefix(',').strip()}".strip() in " ".join(str(made).split())
