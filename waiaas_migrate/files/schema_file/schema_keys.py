"""Every key of schema.yaml: its kind, its description, and the mapping that it belongs to.

To add a key whose kind exists, add it here and, under the same name, to the model: the readers and writers of
schema.yaml, unknown keys and suggestions follow from these tables. The reference for users is docs/schema-file.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from waiaas_migrate.files.schema_file import value_kinds as v
from waiaas_migrate.files.schema_file.column_types import TYPE
from waiaas_migrate.files.schema_file.forms import Columns, Form, Key, Kind
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.files.yaml_text.yaml_writer import Data
from waiaas_migrate.schema.model import Generated, IndexPart
from waiaas_migrate.sqlite.reading import ddl

#: Kinds that the code of their mapping reads and writes, because they depend on other keys or have many forms.
ANY, LIST, MAPPING = Kind("any"), Kind("array"), Kind("object")

_ON_CONFLICT = Key(v.CONFLICT, "What to do with a row that breaks the constraint.", "on_conflict")
_NAME = Key(v.NAME, "The name of the constraint.")

COLUMNS_EXAMPLE = "a list of columns, such as `[a, b]`"

TERM = Form(
    keys={
        "column": Key(v.NAME, "The column."),
        "collate": Key(v.NAME, "The collation.", "collation"),
        "order": Key(v.ORDER, "The order of the index: `asc` or `desc`.", "descending"),
    }
)
INDEX_TERM = Form(keys={"column": TERM.keys["column"], "expression": Key(v.EXPRESSION, "An expression."), **TERM.keys})


def list_of_columns(value: Value) -> list[Value]:
    """Return the items of a list of columns; report an empty one."""
    values = value.items(COLUMNS_EXAMPLE)
    if not values and (value.is_null or value.is_list):
        value.problem("the list names no column.", f"Write {COLUMNS_EXAMPLE}.")
    return values


def _read_term(value: Value, columns: Columns, form: Form) -> IndexPart | None:
    if not value.is_mapping:
        name = v.NAME.read(value, columns)
        return None if name is None else IndexPart(column=name)
    fields = form.fields(value)
    if ("column" in fields) == ("expression" in fields):
        choice = "either `column` or `expression`" if "expression" in form.keys else "`column`"
        value.problem(f"expected {choice}.", "Write `{column: a, order: desc}`.")
        return None
    found = form.contents(fields, columns)
    part = IndexPart(
        column=found.get("column"),
        collation=found.get("collation"),
        descending=found.get("descending") is True,
        ascending=found.get("descending") is False,
    )
    if "expression" not in found:
        return part if part.column is not None else None
    # An expression that is only a column is that column to SQLite, as in ``"(a)"``.
    meant = ddl.index_term(found["expression"].sql, columns)
    if meant.column is None:
        return replace(part, expression=found["expression"])
    return replace(part, column=meant.column, collation=part.collation or meant.collation)


def _read_terms(value: Value, columns: Columns, form: Form) -> tuple[IndexPart, ...] | None:
    parts = [_read_term(item, columns, form) for item in list_of_columns(value)]
    return tuple(part for part in parts if part is not None) or None


def _write_terms(parts: Sequence[IndexPart], columns: Columns, where: str) -> list[Data]:
    """Return the terms; ASC is left out if all terms are columns, each written as its name."""
    says_order = any(part.expression is not None for part in parts)
    return [_write_term(part, columns, where, says_order=says_order) for part in parts]


def _write_term(part: IndexPart, columns: Columns, where: str, *, says_order: bool) -> Data:
    fields = INDEX_TERM.write(part, columns, where)
    if part.ascending and says_order:
        fields["order"] = "asc"
    return part.column if fields.keys() == {"column"} else fields


TERMS = Kind("array", lambda value, columns: _read_terms(value, columns, TERM), _write_terms)
INDEX_TERMS = Kind("array", lambda value, columns: _read_terms(value, columns, INDEX_TERM), _write_terms)


def _read_codes(value: Value, _: Columns) -> None:
    """Report what isn't a list of texts; ``lint`` reads it where it is needed."""
    for item in value.items("a list of codes, such as `[REDUNDANT_INDEX]`"):
        item.text("the code of a rule, such as `REDUNDANT_INDEX`")


LINT = Form(
    keys={"ignore": Key(Kind("array", _read_codes), "Codes of rules that `lint` ignores here and below.")},
    example="`{ignore: [REDUNDANT_INDEX]}`",
)


def _read_lint(value: Value, columns: Columns) -> None:
    LINT.read(value, columns)


_LINT = Key(Kind("object", _read_lint), "What `lint` ignores.")

TOP = Form(
    keys={
        "version": Key(ANY, "The version of the format: 1."),
        "enums": Key(
            ANY, "Where enums are defined: a module, a file, a mapping of names to lists, or a list of these."
        ),
        "pragmas": Key(MAPPING, "PRAGMAs in the order in which a connection sets them."),
        "tables": Key(MAPPING, "Tables by name."),
        "views": Key(MAPPING, "Views by name: the whole CREATE VIEW, or its SELECT."),
        "triggers": Key(MAPPING, "Triggers by name: the whole CREATE TRIGGER."),
        "virtual_tables": Key(MAPPING, "Virtual tables by name: the whole CREATE VIRTUAL TABLE."),
        "lint": _LINT,
    },
    example="`version: 1` and `tables:`",
    required={"version": "Begin the file with `version: 1`."},
)

TABLE = Form(
    keys={
        "comment": Key(v.COMMENT, "What the table is for."),
        "columns": Key(MAPPING, "Columns by name, in order."),
        "primary_key": Key(ANY, "The columns of the primary key, or a mapping with its options."),
        "unique": Key(LIST, "UNIQUE constraints: lists of columns, or mappings with options."),
        "checks": Key(ANY, "CHECK constraints: a list of expressions, or a mapping of names to expressions."),
        "foreign_keys": Key(LIST, "Foreign keys."),
        "indexes": Key(MAPPING, "Indexes by name: a list of columns, or a mapping with options."),
        "strict": Key(v.FLAG, "Whether the table is STRICT."),
        "without_rowid": Key(v.FLAG, "Whether the table is WITHOUT ROWID; it requires a primary key."),
        "class": Key(v.CLASS_NAME, "The name of the class that `models` writes.", "class_name"),
        "renamed_from": Key(v.NAME, "The name that the table had."),
        "lint": _LINT,
    },
    example="a mapping with `columns`",
    required={"columns": "Write `columns:` with a line for each column."},
    instead={
        "pk": "Write `primary_key: [COLUMN]`.",
        "fields": "Write `columns`.",
        "constraints": "Write `checks`, `unique` or `foreign_keys`.",
        **dict.fromkeys(("fk", "fks", "references"), "Write `foreign_keys`."),
        **dict.fromkeys(("description", "doc"), "Write `comment: TEXT`."),
        "triggers": "Write `triggers` at the top of the file, beside `tables`.",
    },
)

PRIMARY_KEY = Form(
    keys={
        "columns": Key(TERMS, "The columns of the key.", "parts"),
        "autoincrement": Key(v.FLAG, "Whether values are never used again."),
        "on_conflict": _ON_CONFLICT,
        "name": _NAME,
    },
    short="columns",
    example="`columns: [a, b]`",
)
UNIQUE = Form(
    keys={
        "columns": Key(TERMS, "The columns that are unique together.", "parts"),
        "on_conflict": _ON_CONFLICT,
        "name": _NAME,
    },
    short="columns",
    example="`columns: [a, b]`",
)
INDEX = Form(
    keys={
        "columns": Key(INDEX_TERMS, "The columns or expressions of the index.", "parts"),
        "unique": Key(v.FLAG, "Whether the index is UNIQUE."),
        "where": Key(v.EXPRESSION, "The condition of a partial index."),
    },
    short="columns",
    example="`columns: [a, b]`",
)
CHECK = Form(
    keys={"check": Key(v.EXPRESSION, "The condition that each row meets.", "expression"), "name": _NAME},
    short="check",
    example="`{check: a > 0, name: positive}`",
)

REFERENCE_OPTIONS = Form(
    keys={
        "on_delete": Key(v.ACTION, "What happens to a row when the row that it refers to is deleted."),
        "on_update": Key(v.ACTION, "What happens to a row when the key that it refers to changes."),
        "match": Key(v.NAME, "The MATCH clause, which SQLite ignores."),
        "deferrable": Key(v.DEFERRAL, "Whether the key is checked at the end of the transaction.", "deferral"),
        "name": _NAME,
    }
)
PARENT = Form(
    keys={
        "table": Key(v.NAME, "The table that is referred to."),
        "column": Key(ANY, "The column that is referred to; the primary key if left out."),
        "columns": Key(LIST, "The columns that are referred to; the primary key if left out."),
        "external": Key(v.FLAG, "Whether the table or its unique key may be missing from this file."),
    },
    required={"table": "Write `{table: t, column: b}`."},
)
REFERENCES = Form(keys={**PARENT.keys, **REFERENCE_OPTIONS.keys}, required=PARENT.required)
FOREIGN_KEY = Form(
    keys={
        "columns": Key(LIST, "The columns that refer to another table."),
        "column": Key(ANY, "The column that refers to another table."),
        "references": Key(ANY, "`table.column`, `table`, or a mapping."),
        **REFERENCE_OPTIONS.keys,
    },
    example="`{columns: [a], references: {table: t, columns: [b]}}`",
    required={"references": "Write `references: {table: t, columns: [b]}`."},
)

GENERATED = Form(
    keys={
        "expression": Key(v.EXPRESSION, "The expression that computes the column."),
        "stored": Key(v.FLAG, "Whether the values are stored."),
    },
    short="expression",
    example="`{expression: a + b, stored: true}`",
)
COLUMN_PRIMARY_KEY = Form(
    keys={
        "order": Key(v.ORDER, "The order of the key: `asc` or `desc`.", "descending"),
        "on_conflict": _ON_CONFLICT,
        "name": _NAME,
    }
)
COLUMN_UNIQUE = Form(keys={"on_conflict": _ON_CONFLICT, "name": _NAME})
COLUMN_CONFLICTS = Form(
    keys={
        "not_null": Key(v.CONFLICT, "What to do with a row that breaks NOT NULL."),
        "primary_key": Key(v.CONFLICT, "What to do with a row that breaks the primary key."),
        "unique": Key(v.CONFLICT, "What to do with a row that breaks UNIQUE."),
    }
)
STORES = Kind("string", lambda value, _columns: value.word({"values": False, "names": True}))
ENUM = Form(
    keys={
        "name": Key(ANY, "The enum's name in its source."),
        "values": Key(ANY, "The values, if the enum has no name."),
        "stores": Key(STORES, "What the column holds of an `enum.Enum`: `values`, or the `names` of its members."),
        "constraint": Key(v.NAME, "The name of the CHECK."),
    },
    example="`{name: Status, constraint: status_known}`",
)
ENUM_VALUES = Form(
    keys={
        "renamed": Key(MAPPING, "New values by the old ones that they replace."),
        "removed": Key(MAPPING, "Removed values, each with the value that replaces it in rows."),
    },
    example="`{renamed: {OLD: NEW}}`",
)


def _read_generated(value: Value, columns: Columns) -> Generated | None:
    found = GENERATED.read(value, columns)
    if found is None:
        return None
    stored = found.get("stored")
    return Generated(expression=found["expression"], stored=stored is True, virtual=stored is False)


def _write_generated(generated: Generated, columns: Columns, where: str) -> Data:
    sql = v.write_expression(generated.expression, columns, where)
    if not (generated.stored or generated.virtual):
        return sql
    return {"expression": sql, "stored": generated.stored}


COLUMN = Form(
    keys={
        "type": Key(TYPE, "The declared type, or `boolean`, `timestamp`, `json` or `uuid`."),
        "nullable": Key(v.FLAG, "Whether the column accepts NULL; true if left out."),
        "not_null_name": Key(v.NAME, "The name of the NOT NULL constraint."),
        "default": Key(v.LITERAL, "The default: text, a number, a boolean or null."),
        "default_sql": Key(v.DEFAULT_SQL, "The default as an SQL expression."),
        "primary_key": Key(ANY, "Whether the column is the primary key, or a mapping with options."),
        "autoincrement": Key(v.FLAG, "Whether the values of an INTEGER primary key are never used again."),
        "unique": Key(ANY, "Whether the column is UNIQUE, or a mapping with options."),
        "collate": Key(v.NAME, "The collation.", "collation"),
        "enum": Key(ANY, "An enum's name, a list of values, or a mapping with the name of the CHECK."),
        "check": Key(ANY, "A CHECK: an expression, a mapping with a name, or a list of them."),
        "references": Key(ANY, "A foreign key: `table.column`, `table`, or a mapping."),
        "generated": Key(Kind("any", _read_generated, _write_generated), "The expression that computes the column."),
        "on_conflict": Key(ANY, "What to do with a row that breaks the column's constraint."),
        "comment": Key(v.COMMENT, "What the column is for."),
        "renamed_from": Key(v.NAME, "The name that the column had."),
        "backfill": Key(v.EXPRESSION, "The value for existing rows, as an SQL expression."),
        "enum_values": Key(MAPPING, "The new values for old values of the enum."),
        "lint": _LINT,
    },
    example="a type, or a mapping",
    instead={
        **dict.fromkeys(("null", "required", "notnull", "not_null", "optional"), "Write `nullable: false`."),
        **dict.fromkeys(
            ("index", "indexed", "indexes"), "Write `indexes: {NAME: [COLUMN]}` below the table's `columns`."
        ),
        **dict.fromkeys(("pk", "primary", "is_primary"), "Write `primary_key: true`."),
        **dict.fromkeys(
            ("fk", "foreign_key", "foreign", "on_delete", "on_update"), "Write `references: TABLE.COLUMN`."
        ),
        **dict.fromkeys(("computed", "generated_as", "as"), "Write `generated: EXPRESSION`."),
        **dict.fromkeys(("description", "doc", "help"), "Write `comment: TEXT`."),
        **dict.fromkeys(("values", "choices"), "Write `enum: [VALUE, …]`."),
        **dict.fromkeys(("length", "size", "max_length"), "Write `type: VARCHAR(50)`, or a `check`."),
        "default_value": "Write `default: VALUE`.",
    },
)
