"""schema.yaml is read into the model, with every key and every short form."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.schema_file.load_schema import DeclaredSchema, load_schema
from waiaas_migrate.schema.model import (
    Action,
    AllowedValues,
    Check,
    ColumnHints,
    Conflict,
    Deferral,
    ForeignKey,
    Generated,
    Index,
    IndexPart,
    NotNull,
    PrimaryKey,
    Table,
    Unique,
)
from waiaas_migrate.sqlite.reading import ddl

ROOT = Path(__file__).parents[2]


def load(tmp_path: Path, text: str) -> DeclaredSchema:
    """Return the schema of a text that lacks its version."""
    path = tmp_path / "schema.yaml"
    path.write_text("version: 1\n" + textwrap.dedent(text), encoding="utf-8")
    return load_schema(path, root=tmp_path)


def table(tmp_path: Path, body: str) -> Table:
    """Return the only table of a text."""
    (read,) = load(tmp_path, "tables:\n  t:\n" + textwrap.indent(textwrap.dedent(body), "    ")).schema.tables
    return read


def parts(*columns: str) -> tuple[IndexPart, ...]:
    """Return a key's parts as plain values."""
    return tuple(IndexPart(column=column) for column in columns)


@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("", None),
        ("{}", None),
        ("{type: null}", None),
        ("text", "TEXT"),
        ("any", "ANY"),
        ("json", "TEXT"),
        ("uuid", "TEXT"),
        ("timestamp", "INTEGER"),
        ("boolean", "INTEGER"),
        ("BOOLEAN", "BOOLEAN"),
        ("Text", "Text"),
        ("VARCHAR(50)", "VARCHAR(50)"),
        ("'DECIMAL(10, -2)'", "DECIMAL(10, -2)"),
        ("UNSIGNED BIG INT", "UNSIGNED BIG INT"),
        ("'\"odd, type\"(5)'", '"odd, type"(5)'),
    ],
)
def test_types(tmp_path: Path, written: str, declared: str | None) -> None:
    """Logical names have one meaning, SQLite's own types are in capitals, and all others are kept as written."""
    assert table(tmp_path, f"columns: {{a: {written}}}").columns[0].type == declared


@pytest.mark.parametrize(
    ("written", "sql"),
    [
        ("default: CREATING", "'CREATING'"),
        ("default: it's", "'it''s'"),
        ("default: ''", "''"),
        ("default: 'ON'", "'ON'"),
        ("default: 5", "5"),
        ("default: '5'", "'5'"),
        ("default: -1.5", "-1.5"),
        ("default: .inf", "9e999"),
        ("default: true", "1"),
        ("default: null", "NULL"),
        ("default_sql: CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("default_sql: (1 + 2)", "(1 + 2)"),
        ("default_sql: X'00'", "X'00'"),
        ("default_sql: 0x1F", "0x1F"),
        ("default_sql: NULL", "NULL"),
    ],
)
def test_defaults(tmp_path: Path, written: str, sql: str) -> None:
    """A literal is quoted according to its type; an expression is used as it is."""
    assert table(tmp_path, f"columns: {{a: {{{written}}}}}").columns[0].default == ddl.read_expression(sql)


def test_constraints_on_a_column_keep_their_place(tmp_path: Path) -> None:
    """A column's constraints stay inline, with their names and conflict clauses."""
    read = table(
        tmp_path,
        """
        columns:
          id: {type: integer, primary_key: {order: desc, name: pk, on_conflict: Replace}}
          a: {type: text, nullable: false, not_null_name: nn, unique: {name: u}, on_conflict: {not_null: ignore}}
          b: {collate: NOCASE, unique: true, on_conflict: ROLLBACK, check: [b > 1, {check: b < 9, name: small}]}
          c: {type: integer, generated: id + 1}
          d: {type: integer, generated: {expression: id * 2, stored: true}, comment: Twice}
          e: {type: integer, nullable: false, on_conflict: abort, unique: false}
        """,
    )
    assert read.primary_key == PrimaryKey(
        parts=(IndexPart(column="id", descending=True),), name="pk", on_conflict=Conflict.REPLACE
    )
    assert read.primary_key.inline
    assert read.columns[1].not_null == NotNull(name="nn", on_conflict=Conflict.IGNORE)
    assert read.uniques == (
        Unique(parts=parts("a"), name="u"),
        Unique(parts=parts("b"), on_conflict=Conflict.ROLLBACK),
    )
    assert all(unique.inline for unique in read.uniques)
    assert read.checks == (
        Check(expression=ddl.read_expression("b > 1", ["b"])),
        Check(expression=ddl.read_expression("b < 9", ["b"]), name="small"),
    )
    assert {check.column for check in read.checks} == {"b"}
    assert read.columns[2].collation == "NOCASE"
    assert read.columns[3].generated == Generated(expression=ddl.read_expression("id + 1", ["id"]))
    assert read.columns[4].generated == Generated(expression=ddl.read_expression("id * 2", ["id"]), stored=True)
    assert (read.columns[4].comment, read.columns[5].not_null) == ("Twice", NotNull())


def test_constraints_of_the_table(tmp_path: Path) -> None:
    """Keys, checks and indexes are read in their short and long forms."""
    read = table(
        tmp_path,
        """
        comment: All of it
        strict: true
        without_rowid: true
        columns: {a: text, b: text, c: integer}
        primary_key: {columns: [b, {column: a, order: desc, collate: NOCASE}], on_conflict: fail, name: pk}
        unique:
          - [a, b]
          - {columns: [c], on_conflict: ignore, name: u}
        checks: {positive: c > 0}
        indexes:
          i: [a, {column: b, order: DESC, collate: RTRIM}, {expression: lower(a)}]
          j: {columns: [c], unique: true, where: c IS NOT NULL}
        """,
    )
    assert read.primary_key == PrimaryKey(
        parts=(IndexPart(column="b"), IndexPart(column="a", descending=True, collation="NOCASE")),
        on_conflict=Conflict.FAIL,
        name="pk",
    )
    assert read.uniques == (
        Unique(parts=parts("a", "b")),
        Unique(parts=parts("c"), on_conflict=Conflict.IGNORE, name="u"),
    )
    assert read.checks == (Check(expression=ddl.read_expression("c > 0", ["c"]), name="positive"),)
    assert not any(item.inline for item in (read.primary_key, *read.uniques))
    assert read.indexes == (
        Index(
            name="i",
            parts=(
                IndexPart(column="a"),
                IndexPart(column="b", descending=True, collation="RTRIM"),
                IndexPart(expression=ddl.read_expression("lower(a)", ["a"])),
            ),
        ),
        Index(name="j", parts=parts("c"), unique=True, where=ddl.read_expression("c IS NOT NULL", ["c"])),
    )
    assert (read.strict, read.without_rowid, read.comment) == (True, True, "All of it")


def test_autoincrement_in_both_places(tmp_path: Path) -> None:
    """An AUTOINCREMENT key means the same on the column and on the table."""
    on_column = table(tmp_path, "columns: {id: {type: integer, primary_key: true, autoincrement: true}}")
    on_table = table(tmp_path, "columns: {id: integer}\nprimary_key: {columns: [id], autoincrement: true}")
    assert on_column == on_table
    assert on_column.primary_key == PrimaryKey(parts=parts("id"), autoincrement=True)


def test_foreign_keys(tmp_path: Path) -> None:
    """Foreign keys are read in every form, on a column or on the table.

    A parent outside the file must be declared as such.
    """
    read = table(
        tmp_path,
        """
        columns:
          id: {type: integer, primary_key: true}
          a: {references: t.id}
          b: {references: T}
          c: {references: {table: t, column: id, on_delete: SET_NULL, on_update: no action, deferrable: true}}
          d: {references: {table: away, columns: [x], external: true, match: FULL, name: fk}}
        unique: [[a, b]]
        foreign_keys:
          - columns: [c, d]
            references: {table: t, columns: [B, a]}
            on_delete: cascade
            deferrable: initially deferred
          - {column: d, references: t, deferrable: not initially immediate}
        """,
    )
    assert read.foreign_keys == (
        ForeignKey(columns=("a",), table="t", targets=("id",)),
        ForeignKey(columns=("b",), table="T"),
        ForeignKey(columns=("c",), table="t", targets=("id",), on_delete=Action.SET_NULL, deferral=Deferral.DEFERRABLE),
        ForeignKey(columns=("d",), table="away", targets=("x",), match="FULL", name="fk"),
        ForeignKey(
            columns=("c", "d"),
            table="t",
            targets=("B", "a"),
            on_delete=Action.CASCADE,
            deferral=Deferral.DEFERRED,
        ),
        ForeignKey(columns=("d",), table="t", deferral=Deferral.NOT_IMMEDIATE),
    )
    assert [key.inline for key in read.foreign_keys] == [True] * 4 + [False] * 2


@pytest.mark.parametrize(
    ("parent", "is_unique"),
    [
        ("indexes: {i: {columns: [a], unique: true}}", True),
        ("indexes: {i: {columns: [a], unique: true, where: a > 1}}", False),
        ("indexes: {i: {columns: [{column: a, collate: NOCASE}], unique: true}}", False),
        ("indexes: {i: {columns: [a, b], unique: true}}", False),
        ("indexes: {i: [a]}", False),
        ("unique: [[a]]", True),
        ("primary_key: [a]", True),
        ("primary_key: [a, b]", False),
    ],
)
def test_what_a_foreign_key_may_refer_to(tmp_path: Path, parent: str, is_unique: bool) -> None:  # noqa: FBT001
    """A parent key must be a full unique key of exactly those columns in their own collation, as SQLite requires."""
    body = f"columns: {{a: text, b: text, c: {{references: t.a}}}}\n{parent}"
    if is_unique:
        assert table(tmp_path, body).foreign_keys
        return
    with pytest.raises(SchemaFileError, match="`t` has no unique key on `a`"):
        table(tmp_path, body)


def test_enums_become_checks(tmp_path: Path) -> None:
    """A CHECK has the enum's values in order and escaped, and knows its enum. In a nullable column, it allows NULL."""
    (tmp_path / "app_enums.py").write_text("KINDS = (\"it's\", 'b')\n")
    declared = load(
        tmp_path,
        """
        enums: app_enums
        tables:
          t:
            columns:
              k: {type: text, primary_key: true, enum: KINDS, default: it's}
              n: {type: text, nullable: false, enum: KINDS}
              i: {enum: [1, x, ON]}
              flag: {type: boolean, nullable: false, default: false}
              bare: {type: boolean, check: false}
              more: {type: boolean, check: more = flag}
        """,
    )
    (read,) = declared.schema.tables
    assert [(check.column, check.expression.sql) for check in read.checks] == [
        ("k", "k IS NULL OR k IN ('it''s', 'b')"),
        ("n", "n IN ('it''s', 'b')"),
        ("i", "i IS NULL OR i IN (1, 'x', 'ON')"),
        ("flag", "flag IN (0, 1)"),
        ("more", "more IN (0, 1)"),
        ("more", "more = flag"),
    ]
    assert [check.allowed for check in read.checks] == [
        AllowedValues(column="k", values=("it's", "b"), nullable=True),
        AllowedValues(column="n", values=("it's", "b")),
        AllowedValues(column="i", values=(1, "x", "ON"), nullable=True),
        AllowedValues(column="flag", values=(0, 1)),
        AllowedValues(column="more", values=(0, 1)),
        None,
    ]
    assert [(use.name, use.values, use.columns) for use in declared.enums] == [("KINDS", ("it's", "b"), ("t.k", "t.n"))]


def test_hints(tmp_path: Path) -> None:
    """Hints are read, and are not part of the schema's meaning."""
    read = table(
        tmp_path,
        """
        renamed_from: old
        columns:
          a: {type: integer, renamed_from: b, backfill: length(c)}
          b: {renamed_from: a}
          c: {enum: [x, 2], enum_values: {renamed: {y: x, 1: 2}, removed: {z: null, w: x}}}
        """,
    )
    assert read.renamed_from == "old"
    assert read.columns[0].hints == ColumnHints(renamed_from="b", backfill=ddl.read_expression("length(c)", ["c"]))
    assert read.columns[1].hints.renamed_from == "a"
    assert read.columns[2].hints == ColumnHints(
        renamed_values=(("y", "x"), (1, 2)), removed_values=(("z", None), ("w", "x"))
    )


def test_views_triggers_and_virtual_tables(tmp_path: Path) -> None:
    """Views, triggers and virtual tables have a name and their SQL; a view may be only its SELECT."""
    schema = load(
        tmp_path,
        """
        tables: {t: {columns: {a: text}}}
        views:
          v: CREATE VIEW v (x) AS SELECT a FROM t
          w: SELECT a FROM t
        triggers:
          r: |
            CREATE TRIGGER r AFTER INSERT ON t BEGIN
              DELETE FROM t WHERE a = ';';
            END
        virtual_tables:
          f: CREATE VIRTUAL TABLE f USING fts5(a)
        """,
    ).schema
    assert [view.name for view in schema.views] == ["v", "w"]
    assert (schema.triggers[0].name, schema.triggers[0].table) == ("r", "t")
    assert (schema.virtual_tables[0].name, schema.virtual_tables[0].module) == ("f", "fts5")


def test_sections_may_be_empty(tmp_path: Path) -> None:
    """A section may be empty."""
    declared = load(tmp_path, "enums:\npragmas:\ntables:\nviews:\ntriggers:\nvirtual_tables:\n")
    assert declared == DeclaredSchema(schema=declared.schema)
    assert declared.schema.tables == ()


def test_all_errors_of_a_file_come_at_once(tmp_path: Path) -> None:
    """One error contains the problems of every stage, in the order of the file."""
    with pytest.raises(SchemaFileError) as caught:
        load(
            tmp_path,
            """
            enums: no_such_module_here
            tables:
              t:
                columns:
                  a: {type: text, enum: KINDS, nulable: true}
                  b: {type: text, references: u.id}
                indexes:
                  i: [c]
            """,
        )
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (3, "enums"),
        (7, "tables.t.columns.a.nulable"),
        (8, "tables.t.columns.b.references"),
        (10, "tables.t.indexes.i"),
    ]


def test_many_problems_are_counted(tmp_path: Path) -> None:
    """After 200 problems, only the number of further ones is given."""
    with pytest.raises(SchemaFileError) as caught:
        load(tmp_path, "tables:\n" + "".join(f"  t{n}: {{columns: {{a: {{x{n}: 1}}}}}}\n" for n in range(1000)))
    assert len(caught.value.problems) == 200
    assert caught.value.problems[-1].what == "801 more problems from here on."
