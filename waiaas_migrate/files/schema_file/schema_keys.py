"""All mappings and keys of schema.yaml, with their kinds and descriptions.

To add a key of an existing kind, add it here and, under the same name, to the model. The readers and
writers of schema.yaml, suggestions for unknown keys, docs/schema-file.md and the JSON Schema then handle the key.
"""

from __future__ import annotations

from waiaas_migrate.files.schema_file import shapes as s
from waiaas_migrate.files.schema_file import value_kinds as v
from waiaas_migrate.files.schema_file.forms import Columns, Form, Key, Kind
from waiaas_migrate.files.schema_file.terms import COLUMN_NAME, COLUMN_NAMES, INDEX_TERM, INDEX_TERMS, TERM, TERMS
from waiaas_migrate.files.yaml_text.yaml_values import Value
from waiaas_migrate.files.yaml_text.yaml_writer import Data
from waiaas_migrate.schema.model import Generated
from waiaas_migrate.sqlite.database.pragmas import REFUSED, SAFE_JOURNALS, WORDS

_ON_CONFLICT = Key(v.CONFLICT, "What to do with a row that breaks the constraint.", "on_conflict")
_NAME = Key(v.NAME, "The name of the constraint.")


def _read_codes(value: Value, _: Columns) -> None:
    """Report a value that isn't a list of texts; ``lint`` reads the list itself."""
    for item in value.items("a list of codes, such as `[REDUNDANT_INDEX]`"):
        item.text("the code of a rule, such as `REDUNDANT_INDEX`")


LINT = Form(
    keys={"ignore": Key(Kind(s.list_of(s.TEXT), _read_codes), "Codes of rules that `lint` ignores here and below.")},
    example="`{ignore: [REDUNDANT_INDEX]}`",
)


def _read_lint(value: Value, columns: Columns) -> None:
    """Report problems, and return nothing: the model has no such attribute."""
    LINT.read(value, columns)


_LINT = Kind(s.any_of({"type": "null"}, s.ref("lint")), _read_lint)

_ENUM_LIST = {**s.list_of(s.ENUM_VALUE, at_least=1), "uniqueItems": True}
_MEMBERS = {"type": "object", "additionalProperties": s.ENUM_VALUE, "minProperties": 1}
_SOURCE = s.any_of(s.TEXT, {"type": "object", "additionalProperties": s.any_of(_ENUM_LIST, _MEMBERS)})
_PRAGMA_VALUE: s.Shape = {"type": ["string", "integer"], "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"}
#: Editors suggest some words. Some journal modes, and some PRAGMAs, must not be set.
_PRAGMAS: s.Shape = {
    "type": ["object", "null"],
    "properties": {name: s.suggested(words, _PRAGMA_VALUE) for name, words in sorted(WORDS.items())},
    "patternProperties": {
        f"^{s.any_case('journal_mode')}$": s.word(sorted(SAFE_JOURNALS)),
        **{f"^{s.any_case(name)}$": False for name in sorted(REFUSED)},
    },
    "additionalProperties": _PRAGMA_VALUE,
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
}
_STATEMENTS = Kind(s.by_name(s.STATEMENT, names=s.OBJECT_NAME))
TOP = Form(
    keys={
        "version": Key(Kind({"const": 1}), "Required; `1`."),
        "enums": Key(
            Kind(s.any_of(_SOURCE, s.list_of(_SOURCE))),
            "Where enums are defined: `app.enums`, `src/enums.ts`, or a list; see [sources](#sources-of-enums).",
        ),
        "pragmas": Key(Kind(_PRAGMAS), "PRAGMAs in the order they are set: `journal_mode: WAL`, `cache_size: -64000`."),
        "tables": Key(Kind(s.by_name(s.ref("table"), names=s.OBJECT_NAME)), "Tables by name."),
        "views": Key(_STATEMENTS, "Views by name: `CREATE VIEW` or only its `SELECT`."),
        "triggers": Key(_STATEMENTS, "Triggers by name: `CREATE TRIGGER`."),
        "virtual_tables": Key(_STATEMENTS, "Virtual tables by name: `CREATE VIRTUAL TABLE`."),
        "lint": Key(_LINT, "Rules that [`lint`](lint.md) ignores: `lint: {ignore: [CODE]}`."),
    },
    example="`version: 1` and `tables:`",
    required={"version": "Begin the file with `version: 1`."},
)

_COLUMN = s.any_of(v.TYPE.shape, s.ref("column"))
TABLE = Form(
    keys={
        "comment": Key(v.COMMENT, "A description.", example="comment: Agent identity"),
        "columns": Key(
            Kind(s.by_name(_COLUMN, names=s.NAME, at_least=1)),
            "[Columns](#columns) by name, in order (required).",
            example="columns: {id: integer}",
        ),
        "primary_key": Key(
            Kind(s.ref("primary_key")),
            "[Terms](#terms), or `columns`, `autoincrement`, `on_conflict`, `name`.",
            example="primary_key: [a, b]",
        ),
        "unique": Key(
            Kind(s.list_of(s.ref("unique"))),
            "A list of keys: terms, or `columns`, `on_conflict`, `name`.",
            example="unique: [[a, b], {columns: [c], name: u}]",
        ),
        "checks": Key(
            Kind(s.any_of(s.list_of(s.ref("check")), s.by_name(s.SQL, names=s.NAME))),
            "Expressions, `{check, name}`, or names with expressions.",
            example="checks: {ordered: a < b}",
        ),
        "foreign_keys": Key(
            Kind(s.list_of(s.ref("foreign_key"))),
            "A list of [foreign keys](#foreign-keys).",
            example="foreign_keys: [{columns: [a, b], references: {table: t, columns: [x, y]}}]",
        ),
        "indexes": Key(
            Kind(s.by_name(s.ref("index"), names=s.OBJECT_NAME)),
            "Indexes by name: terms, or `columns`, `unique`, `where`.",
            example="indexes: {i: {columns: [a], unique: true, where: a > 0}}",
        ),
        "strict": Key(v.FLAG, "STRICT.", example="strict: true"),
        "without_rowid": Key(v.FLAG, "WITHOUT ROWID; needs a primary key.", example="without_rowid: true"),
        "class": Key(v.CLASS_NAME, "Its name in [`models`](models.md).", "class_name", example="class: AuditLog"),
        "renamed_from": Key(v.NAME, "The old name; see [hints](#hints).", example="renamed_from: agents"),
        "lint": Key(_LINT, "Rules that [`lint`](lint.md) ignores here.", example="lint: {ignore: [REDUNDANT_INDEX]}"),
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
        "column": Key(COLUMN_NAME, "The column that is referred to; the primary key if left out.", "targets"),
        "columns": Key(COLUMN_NAMES, "The columns that are referred to; the primary key if left out.", "targets"),
        "external": Key(v.FLAG, "Whether the table or its unique key may be missing from this file."),
    },
    required={"table": "Write `{table: t, column: b}`."},
    exclusive=("column", "columns"),
    instead={key: f"Write `{key}` beside `references`." for key in REFERENCE_OPTIONS.keys},
)
REFERENCES = Form(keys={**PARENT.keys, **REFERENCE_OPTIONS.keys}, required=PARENT.required, exclusive=PARENT.exclusive)
FOREIGN_KEY = Form(
    keys={
        "columns": Key(COLUMN_NAMES, "The columns that refer to another table."),
        "column": Key(COLUMN_NAME, "The column that refers to another table.", "columns"),
        "references": Key(Kind(s.any_of(s.NAME, s.ref("parent"))), "`table.column`, `table`, or a mapping."),
        **REFERENCE_OPTIONS.keys,
    },
    example="`{columns: [a], references: {table: t, columns: [b]}}`",
    required={"references": "Write `references: {table: t, columns: [b]}`."},
    one_of=("columns", "column"),
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
ENUM = Form(
    keys={
        "name": Key(Kind(s.TEXT), "The enum's name in its source."),
        "values": Key(Kind(_ENUM_LIST), "The values, if the enum has no name."),
        "stores": Key(v.STORES, "What the column holds of an `enum.Enum`: `values`, or the `names` of its members."),
        "constraint": Key(v.NAME, "The name of the CHECK."),
    },
    example="`{name: Status, constraint: status_known}`",
    one_of=("name", "values"),
)
ENUM_VALUES = Form(
    keys={
        "renamed": Key(
            Kind(s.by_name(s.ENUM_VALUE, names=s.ENUM_KEY)), "New values by the old ones that they replace."
        ),
        "removed": Key(
            Kind(s.by_name(s.any_of(s.ENUM_VALUE, {"type": "null"}), names=s.ENUM_KEY)),
            "Removed values, each with the value that replaces it in rows.",
        ),
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
    return {"expression": sql, "stored": generated.stored} if generated.stored or generated.virtual else sql


COLUMN = Form(
    keys={
        "type": Key(v.TYPE, "`text`, `integer`, `boolean` and others; see [types](#types)."),
        "nullable": Key(v.FLAG, "`false` is NOT NULL. Default: `true`."),
        "not_null_name": Key(v.NAME, "The name of the NOT NULL constraint."),
        "default": Key(v.LITERAL, "A literal: text without carriage returns, number, boolean, null."),
        "default_sql": Key(v.DEFAULT_SQL, "An SQL expression, such as `CURRENT_TIMESTAMP`."),
        "primary_key": Key(
            Kind(s.any_of(s.FLAG, s.ref("column_primary_key"))), "`true`, or `order`, `on_conflict`, `name`."
        ),
        "autoincrement": Key(v.FLAG, "AUTOINCREMENT."),
        "unique": Key(Kind(s.any_of(s.FLAG, s.ref("column_unique"))), "`true`, or `on_conflict`, `name`."),
        "collate": Key(v.NAME, "A collation.", "collation"),
        "enum": Key(
            Kind(s.any_of(s.TEXT, _ENUM_LIST, s.ref("enum"))),
            "An enum's name, a list of values, or a mapping with `name` or `values`, `stores` and `constraint`.",
        ),
        "check": Key(
            Kind(s.any_of(s.list_of(s.ref("check")), s.ref("check"))),
            "An expression such as `price > 0`, `{check, name}` or a list; `false` omits a boolean's CHECK.",
        ),
        "references": Key(
            Kind(s.any_of(s.NAME, s.ref("references"))), "`agents.id`; see [foreign keys](#foreign-keys)."
        ),
        "generated": Key(
            Kind(s.ref("generated"), _read_generated, _write_generated),
            "An expression (virtual), or `{expression: a + b, stored: true}`.",
        ),
        "on_conflict": Key(
            Kind(s.any_of(v.CONFLICT.shape, s.ref("column_conflicts"))),
            "A conflict clause, or a mapping with one each for `not_null`, `primary_key`, `unique`.",
        ),
        "comment": Key(v.COMMENT, "A description."),
        "renamed_from": Key(v.NAME, "The old name; see [hints](#hints)."),
        "backfill": Key(v.EXPRESSION, "A value for existing rows; see [hints](#hints)."),
        "enum_values": Key(
            Kind(s.any_of({"type": "null"}, s.ref("enum_values"))),
            "Replacements of old values, such as `{renamed: {OLD: NEW}}`; see [hints](#hints).",
        ),
        "lint": Key(_LINT, "Rules that [`lint`](lint.md) ignores here."),
    },
    example="a type, or a mapping",
    exclusive=("default", "default_sql"),
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

#: All mappings but the top one, by the name that :func:`~waiaas_migrate.files.schema_file.shapes.ref` takes.
DEFINITIONS = {
    "table": TABLE,
    "column": COLUMN,
    "lint": LINT,
    "column_primary_key": COLUMN_PRIMARY_KEY,
    "column_unique": COLUMN_UNIQUE,
    "column_conflicts": COLUMN_CONFLICTS,
    "enum": ENUM,
    "enum_values": ENUM_VALUES,
    "generated": GENERATED,
    "check": CHECK,
    "references": REFERENCES,
    "parent": PARENT,
    "foreign_key": FOREIGN_KEY,
    "primary_key": PRIMARY_KEY,
    "unique": UNIQUE,
    "index": INDEX,
    "term": TERM,
    "index_term": INDEX_TERM,
}
