"""Every kind of damage to schema.yaml gets its message: where, what, and what to do; all of a file at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.schema_file.load_schema import load_schema

#: What is wrong, the file, and what is said about it.
DAMAGE: list[tuple[str, str, list[str]]] = [
    (
        "unknown top key",
        ("version: 1\ntabels: {}\n"),
        [
            "schema.yaml:2:1, tabels: unknown key `tabels`. Did you mean `tables`?",
        ],
    ),
    (
        "unknown column key",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, nulable: false}\n"
        ),
        [
            "schema.yaml:6:23, tables.t.columns.a.nulable: unknown key `nulable`. Did you mean `nullable`?",
        ],
    ),
    (
        "unknown key unlike any",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, xyzzy: 1}\n"
        ),
        [
            (
                "schema.yaml:6:23, tables.t.columns.a.xyzzy: unknown key `xyzzy`. Known here: `type`, `nullable`, "
                "`not_null_name`, `default`, `default_sql`, `primary_key`, `autoincrement`, `unique`, `collate`, "
                "`enum`, `check`, `references`, `generated`, `on_conflict`, `comment`, `renamed_from`, `backfill`, "
                "`enum_values`."
            ),
        ],
    ),
    (
        "no version",
        ("tables: {}\n"),
        [
            "schema.yaml:1:1: `version` is missing. Begin the file with `version: 1`.",
        ],
    ),
    (
        "version of the future",
        ("version: 2\n"),
        [
            (
                "schema.yaml:1:10, version: this version of the format is not known: the number 2. Write `version: "
                "1`, or use the release of waiaas-migrate that the file was written for."
            ),
        ],
    ),
    (
        "a list at the top",
        ("- a\n"),
        [
            "schema.yaml:1:1: this must be a mapping, but is a list. Write `version: 1` and `tables:`.",
        ],
    ),
    (
        "only a null",
        ("~\n"),
        [
            "schema.yaml:1:1: the file holds nothing. Begin it with `version: 1`.",
        ],
    ),
    (
        "tables as a list",
        ("version: 1\ntables: [a]\n"),
        [
            ("schema.yaml:2:9, tables: this must be a mapping, but is a list. Write a table's name and `columns:`."),
        ],
    ),
    (
        "a table without columns",
        ("version: 1\ntables:\n  t: {comment: x}\n"),
        [
            "schema.yaml:3:3, tables.t: `columns` is missing. Write `columns:` with a line for each column.",
        ],
    ),
    (
        "a table with no columns",
        ("version: 1\ntables:\n  t:\n    columns: {}\n"),
        [
            (
                "schema.yaml:4:5, tables.t.columns: a table needs at least one column. Write `id: {type: integer}` "
                "below it."
            ),
        ],
    ),
    (
        "an empty table",
        ("version: 1\ntables:\n  t:\n"),
        [
            "schema.yaml:3:3, tables.t: the table is empty. Give it `columns`.",
        ],
    ),
    (
        "a number as a column",
        ("version: 1\ntables:\n  t:\n    columns:\n      id: {type: integer, primary_key: true}\n      a: 5\n"),
        [
            ('schema.yaml:6:10, tables.t.columns.a: this must be text, but is the number 5. Put it in quotes: "5".'),
        ],
    ),
    (
        "a list as a column",
        ("version: 1\ntables:\n  t:\n    columns:\n      id: {type: integer, primary_key: true}\n      a: [text]\n"),
        [
            (
                "schema.yaml:6:10, tables.t.columns.a: this must be a column, but is a list. Write `{type: text}`, "
                "or `text`."
            ),
        ],
    ),
    (
        "yes for a boolean",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, nullable: yes}\n"
        ),
        [
            (
                "schema.yaml:6:33, tables.t.columns.a.nullable: this must be true or false, but is the text `yes`. "
                "Write `true`."
            ),
        ],
    ),
    (
        "text for a boolean",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, unique: maybe}\n"
        ),
        [
            (
                "schema.yaml:6:31, tables.t.columns.a.unique: this must be true or false, but is the text `maybe`. "
                "Write `true` or `false`."
            ),
        ],
    ),
    (
        "a boolean as a key",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "      true: text\n"
        ),
        [
            'schema.yaml:7:7, tables.t.columns.true: the key is `true`, not text. Put it in quotes: "true".',
        ],
    ),
    (
        "an SQL constraint in the type",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: TEXT NOT NULL\n"
        ),
        [
            (
                "schema.yaml:6:10, tables.t.columns.a: `NOT` is an SQL keyword and no part of a type. Give the "
                "constraint a key of its own, such as `nullable: false`."
            ),
        ],
    ),
    (
        "an injection in the type",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: 'TEXT, b TEXT'\n"
        ),
        [
            (
                "schema.yaml:6:10, tables.t.columns.a: `TEXT, b TEXT` is no type. Write words, and one or two "
                "numbers: `VARCHAR(50)`."
            ),
        ],
    ),
    (
        "a comma inside braces",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: DECIMAL(10, 2)}\n"
        ),
        [
            (
                "schema.yaml:6:17, tables.t.columns.a.type: `DECIMAL(10` is no type. Inside `{…}` a comma ends "
                "a value: put the whole value in quotes."
            ),
            (
                'schema.yaml:6:29, tables.t.columns.a."2)": unknown key `2)`. Known here: `type`, `nullable`, '
                "`not_null_name`, `default`, `default_sql`, `primary_key`, `autoincrement`, `unique`, `collate`, "
                "`enum`, `check`, `references`, `generated`, `on_conflict`, `comment`, `renamed_from`, `backfill`, "
                "`enum_values`."
            ),
        ],
    ),
    (
        "default and default_sql",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, default: x, default_sql: \"'x'\"}\n"
        ),
        [
            (
                "schema.yaml:6:35, tables.t.columns.a.default_sql: `default` and `default_sql` are both here. Write "
                "one of them."
            ),
        ],
    ),
    (
        "a list as a default",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, default: [a]}\n"
        ),
        [
            (
                "schema.yaml:6:32, tables.t.columns.a.default: a default must be a single value, but this is a "
                "list. Put text in quotes; write an SQL expression with `default_sql`."
            ),
        ],
    ),
    (
        "a NaN as a default",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: real, default: .nan}\n"
        ),
        [
            "schema.yaml:6:32, tables.t.columns.a.default: SQLite stores no NaN. Write `default: null`.",
        ],
    ),
    (
        "broken SQL",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, check: 'a >'}\n"
        ),
        [
            ("schema.yaml:6:30, tables.t.columns.a.check: this is not an SQL expression: syntax error. Correct `a >`."),
        ],
    ),
    (
        "two expressions",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, check: '1); DROP TABLE t; --'}\n"
        ),
        [
            (
                "schema.yaml:6:30, tables.t.columns.a.check: this is not an SQL expression: syntax error. Correct "
                "`1); DROP TABLE t; --`."
            ),
        ],
    ),
    (
        "autoincrement without a key",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, autoincrement: true}\n"
        ),
        [
            (
                "schema.yaml:6:26, tables.t.columns.a.autoincrement: only a primary key counts up. Add "
                "`primary_key: true`, or take this away."
            ),
        ],
    ),
    (
        "autoincrement on text",
        ("version: 1\ntables:\n  t:\n    columns:\n      id: {type: text, primary_key: true, autoincrement: true}\n"),
        [
            (
                "schema.yaml:5:24, tables.t.columns.id.primary_key: only a primary key of a single column of type "
                "INTEGER, ascending, counts up. Write `{type: integer, primary_key: true, autoincrement: true}`."
            ),
        ],
    ),
    (
        "autoincrement without rowid",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true, autoincrement: true}\n"
            "    without_rowid: true\n"
        ),
        [
            (
                "schema.yaml:5:27, tables.t.columns.id.primary_key: a table without rowid cannot count up. Take "
                "`autoincrement` or `without_rowid` away."
            ),
        ],
    ),
    (
        "two primary keys",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, primary_key: true}\n"
        ),
        [
            (
                "schema.yaml:6:23, tables.t.columns.a.primary_key: the table has a primary key already, in line 5. "
                "Keep one; a key of several columns is written on the table: `primary_key: [a, b]`."
            ),
        ],
    ),
    (
        "a primary key on the table as well",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "    primary_key: [a]\n"
        ),
        [
            (
                "schema.yaml:7:5, tables.t.primary_key: the table has a primary key already, in line 5. Keep one; a "
                "key of several columns is written on the table: `primary_key: [a, b]`."
            ),
        ],
    ),
    (
        "without rowid and key",
        ("version: 1\ntables:\n  t:\n    columns:\n      a: text\n    without_rowid: true\n"),
        [
            (
                "schema.yaml:6:5, tables.t.without_rowid: a table without rowid needs a primary key. Add "
                "`primary_key`, or take this away."
            ),
        ],
    ),
    (
        "a type unknown to STRICT",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: VARCHAR(5)\n"
            "    strict: true\n"
        ),
        [
            (
                "schema.yaml:6:10, tables.t.columns.a: the type `VARCHAR(5)` is not known in a STRICT table. Write "
                "one of `any`, `blob`, `int`, `integer`, `real`, `text`."
            ),
        ],
    ),
    (
        "no type in a STRICT table",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: \n"
            "    strict: true\n"
        ),
        [
            (
                "schema.yaml:6:9, tables.t.columns.a: a column without a type cannot be in a STRICT table. Write "
                "one of `any`, `blob`, `int`, `integer`, `real`, `text`."
            ),
        ],
    ),
    (
        "on_conflict that belongs to nothing",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, on_conflict: fail}\n"
        ),
        [
            (
                "schema.yaml:6:23, tables.t.columns.a.on_conflict: the column has no NOT NULL, primary key or "
                "UNIQUE that this could belong to. Take it away."
            ),
        ],
    ),
    (
        "on_conflict that could belong to two",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, nullable: false, unique: true, on_conflict: fail}\n"
        ),
        [
            (
                "schema.yaml:6:67, tables.t.columns.a.on_conflict: it is not clear what this belongs to. Write "
                "`{not_null: fail}`."
            ),
        ],
    ),
    (
        "on_conflict said twice",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, unique: {on_conflict: fail}, on_conflict: fail}\n"
        ),
        [
            (
                "schema.yaml:6:32, tables.t.columns.a.unique.on_conflict: the column's own `on_conflict` says this "
                "too. Write one of them."
            ),
        ],
    ),
    (
        "an unknown conflict word",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, unique: {on_conflict: replaced}}\n"
        ),
        [
            (
                "schema.yaml:6:45, tables.t.columns.a.unique.on_conflict: this must be one of a few words, but is "
                "the text `replaced`. Did you mean `replace`?"
            ),
        ],
    ),
    (
        "a name for no NOT NULL",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, not_null_name: nn}\n"
        ),
        [
            (
                "schema.yaml:6:23, tables.t.columns.a.not_null_name: the column is nullable. Add `nullable: false`, "
                "or take this away."
            ),
        ],
    ),
    (
        "an unknown enum",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, enum: STATUSES}\n"
        ),
        [
            (
                "schema.yaml:6:29, tables.t.columns.a.enum: there is no enum `STATUSES`. Name the module that "
                "defines it: `enums: app.enums`."
            ),
        ],
    ),
    (
        "an empty inline enum",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, enum: []}\n"
        ),
        [
            (
                "schema.yaml:6:29, tables.t.columns.a.enum: this list cannot be used as an enum: it has no values. "
                "Correct the list."
            ),
        ],
    ),
    (
        "a value twice",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, enum: [a, b, a]}\n"
        ),
        [
            (
                "schema.yaml:6:29, tables.t.columns.a.enum: this list cannot be used as an enum: its value 'a' is "
                "there twice. Correct the list."
            ),
        ],
    ),
    (
        "a boolean in an enum",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, enum: [a, true]}\n"
        ),
        [
            (
                "schema.yaml:6:33, tables.t.columns.a.enum[1]: an enum's value must be text or a whole number, not "
                "`true`. Put it in quotes."
            ),
        ],
    ),
    (
        "a default outside the enum",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, enum: [ACTIVE, CLOSED], default: ACTIV}\n"
        ),
        [
            (
                "schema.yaml:6:56, tables.t.columns.a.default: the default 'ACTIV' is not among the values of the "
                "enum. Did you mean `ACTIVE`?"
            ),
        ],
    ),
    (
        "a default outside a named enum's like",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, enum: [a, b], default: zzz}\n"
        ),
        [
            (
                "schema.yaml:6:46, tables.t.columns.a.default: the default 'zzz' is not among the values of the "
                "enum. Its values are `a`, `b`."
            ),
        ],
    ),
    (
        "an enum on a boolean",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: boolean, enum: [0, 1]}\n"
        ),
        [
            (
                "schema.yaml:6:26, tables.t.columns.a.enum: a boolean's values are 0 and 1. Take `enum` away, or "
                "use another type."
            ),
        ],
    ),
    (
        "a text as a boolean's default",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: boolean, default: 'yes'}\n"
        ),
        [
            (
                "schema.yaml:6:35, tables.t.columns.a.default: a boolean's default must be true or false, but is "
                "'yes'. Write `true` or `false`."
            ),
        ],
    ),
    (
        "check false without a boolean",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, check: false}\n"
        ),
        [
            (
                "schema.yaml:6:30, tables.t.columns.a.check: only `type: boolean` brings a CHECK that `false` "
                "leaves out. Write an expression."
            ),
        ],
    ),
    (
        "enum_values without an enum",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, enum_values: {renamed: {a: b}}}\n"
        ),
        [
            (
                "schema.yaml:6:23, tables.t.columns.a.enum_values: the column has no enum. Take this away, or add "
                "`enum`."
            ),
        ],
    ),
    (
        "enum_values that do not fit",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      a:\n"
            "        nullable: false\n"
            "        enum: [a, b]\n"
            "        enum_values: {renamed: {a: b, c: x}, removed: {c: null, d: e}}\n"
        ),
        [
            (
                "schema.yaml:8:22, tables.t.columns.a.enum_values: renamed: 'a' is still a value of the enum. Take "
                "it out of the enum, or take this away."
            ),
            (
                "schema.yaml:8:22, tables.t.columns.a.enum_values: renamed: 'x' is not among the values of the "
                "enum. Its values are `a`, `b`."
            ),
            (
                "schema.yaml:8:22, tables.t.columns.a.enum_values: removed: the column is NOT NULL, so NULL can "
                "replace nothing. Write a value."
            ),
            (
                "schema.yaml:8:22, tables.t.columns.a.enum_values: removed: 'e' is not among the values of the "
                "enum. Its values are `a`, `b`."
            ),
            (
                "schema.yaml:8:22, tables.t.columns.a.enum_values: 'c' is both renamed and removed. Write it under "
                "one of the two."
            ),
        ],
    ),
    (
        "a reference to no table",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, references: tt.id}\n"
        ),
        [
            (
                "schema.yaml:6:38, tables.t.columns.a.references: there is no table `tt`. Did you mean `t`? Write "
                "`references: {table: tt, columns: [id], external: true}` where it is not part of this file."
            ),
        ],
    ),
    (
        "a reference to an unlike table",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, references: wallets}\n"
        ),
        [
            (
                "schema.yaml:6:38, tables.t.columns.a.references: there is no table `wallets`. Write `references: "
                "{table: wallets, external: true}` where it is not part of this file."
            ),
        ],
    ),
    (
        "a reference to no column",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, references: t.idd}\n"
        ),
        [
            ("schema.yaml:6:38, tables.t.columns.a.references: the table `t` has no column `idd`. Did you mean `id`?"),
        ],
    ),
    (
        "a reference to what is not unique",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, references: t.a}\n"
        ),
        [
            (
                "schema.yaml:6:38, tables.t.columns.a.references: `a` of `t` is not unique there, so SQLite would "
                "refuse every change. Make it the primary key, `unique`, or a unique index of `t`, or write "
                "`references: {table: t, columns: [a], external: true}`."
            ),
        ],
    ),
    (
        "a reference to a view",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, references: v.id}\n"
            "views: {v: SELECT 1}\n"
        ),
        [
            (
                "schema.yaml:6:38, tables.t.columns.a.references: `v` is a view; SQLite refers to tables only. Name "
                "a table."
            ),
        ],
    ),
    (
        "a reference without a parent key",
        ("version: 1\ntables:\n  t:\n    columns:\n      a: {type: text, references: t}\n"),
        [
            (
                "schema.yaml:5:35, tables.t.columns.a.references: the table `t` has no primary key to refer to. "
                "Name a column: `table.column`."
            ),
        ],
    ),
    (
        "columns and targets that differ in number",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "    foreign_keys: [{columns: [a, id], references: {table: t, columns: [id]}}]\n"
        ),
        [
            (
                "schema.yaml:7:20, tables.t.foreign_keys[0]: 2 columns refer to 1 column. Name as many in "
                "`references` as in `columns`."
            ),
        ],
    ),
    (
        "an unknown action",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, references: {table: t, column: id, on_delete: cascad}}\n"
        ),
        [
            (
                "schema.yaml:6:72, tables.t.columns.a.references.on_delete: this must be one of a few words, but is "
                "the text `cascad`. Did you mean `cascade`?"
            ),
        ],
    ),
    (
        "an unknown column in a key",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "    unique: [[aa]]\n"
            "    primary_key: {columns: [idd]}\n"
        ),
        [
            "schema.yaml:7:14, tables.t.unique[0]: the table `t` has no column `aa`. Did you mean `a`?",
            (
                "schema.yaml:8:5, tables.t.primary_key: the table has a primary key already, in line 5. Keep one; a "
                "key of several columns is written on the table: `primary_key: [a, b]`."
            ),
            "schema.yaml:8:18, tables.t.primary_key: the table `t` has no column `idd`. Did you mean `id`?",
        ],
    ),
    (
        "an unknown column in an index",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "    indexes:\n"
            "      i: [b]\n"
            "      j: {columns: []}\n"
            "      k: {unique: true}\n"
        ),
        [
            "schema.yaml:8:10, tables.t.indexes.i: the table `t` has no column `b`. Known are `id`, `a`.",
            (
                "schema.yaml:9:20, tables.t.indexes.j.columns: this names no column. Write a list of columns, such "
                "as `[a, b]`."
            ),
            "schema.yaml:10:7, tables.t.indexes.k: `columns` is missing. Write `columns: [a, b]`.",
        ],
    ),
    (
        "an unknown column in a foreign key",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "    foreign_keys: [{column: b, references: t}]\n"
        ),
        [
            "schema.yaml:7:20, tables.t.foreign_keys[0]: the table `t` has no column `b`. Known are `id`, `a`.",
        ],
    ),
    (
        "an expression in a unique",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "    unique: [[{expression: a + 1}]]\n"
        ),
        [
            "schema.yaml:7:15, tables.t.unique[0][0]: this needs `column`. Write `{column: a, order: desc}`.",
            (
                "schema.yaml:7:16, tables.t.unique[0][0].expression: unknown key `expression`. Known here: "
                "`column`, `order`, `collate`."
            ),
        ],
    ),
    (
        "a generated column with a default",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: integer, generated: id + 1, default: 5}\n"
        ),
        [
            (
                "schema.yaml:6:45, tables.t.columns.a.default: a generated column has no default. Take `default` or "
                "`generated` away."
            ),
        ],
    ),
    (
        "a generated primary key",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      a: integer\n"
            "      b: {type: integer, generated: a + 1, primary_key: true}\n"
        ),
        [
            (
                "schema.yaml:6:44, tables.t.columns.b.primary_key: a generated column cannot be the primary key. "
                "Take `primary_key` or `generated` away."
            ),
        ],
    ),
    (
        "names that SQLite takes for one",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: text\n"
            "      A: text\n"
        ),
        [
            (
                "schema.yaml:7:7, tables.t.columns.A: the column `A` is here already as `a`; SQLite compares names "
                "without case. Take one of them away."
            ),
        ],
    ),
    (
        "a reserved name",
        (
            "version: 1\n"
            "tables:\n"
            "  sqlite_x: {columns: {a: text}}\n"
            "  _yoyo_log: {columns: {a: text}}\n"
            "  ok: {columns: {a: text}, indexes: {Yoyo_Lock: [a]}}\n"
        ),
        [
            (
                "schema.yaml:3:3, tables.sqlite_x: the name `sqlite_x` belongs to SQLite, to yoyo or to "
                "waiaas-migrate. Choose another "
                "name."
            ),
            (
                "schema.yaml:4:3, tables._yoyo_log: the name `_yoyo_log` belongs to SQLite, to yoyo or to "
                "waiaas-migrate. Choose "
                "another name."
            ),
            (
                "schema.yaml:5:38, tables.ok.indexes.Yoyo_Lock: the name `Yoyo_Lock` belongs to SQLite, to yoyo "
                "or to waiaas-migrate. "
                "Choose another name."
            ),
        ],
    ),
    (
        "an empty name",
        ("version: 1\ntables:\n  '': {columns: {'': text}}\n"),
        [
            'schema.yaml:3:3, tables."": the name is empty. Choose another name.',
            'schema.yaml:3:18, tables."".columns."": the name is empty. Choose another name.',
        ],
    ),
    (
        "a control character in a name",
        ('version: 1\ntables:\n  "a\\nb": {columns: {a: text}}\n'),
        [
            'schema.yaml:3:3, tables."a b": the name contains a control character. Choose another name.',
        ],
    ),
    (
        "clashing names",
        ("version: 1\ntables:\n  t: {columns: {a: text}, indexes: {V: [a]}}\nviews: {v: SELECT 1, T: SELECT 2}\n"),
        [
            (
                "schema.yaml:3:37, tables.t.indexes.V: the name `V` is taken by the view in line 4; SQLite compares "
                "names without case. Give the index another name."
            ),
            (
                "schema.yaml:4:22, views.T: the name `T` is taken by the table in line 3; SQLite compares names "
                "without case. Give the view another name."
            ),
        ],
    ),
    (
        "a view that is none",
        ("version: 1\nviews: {v: CREATE TABLE v (a)}\n"),
        [
            (
                "schema.yaml:2:12, views.v: this cannot be read: expected VIEW, found 'TABLE'. Write the whole "
                "CREATE statement."
            ),
        ],
    ),
    (
        "a view of another name",
        ("version: 1\nviews: {v: CREATE VIEW w AS SELECT 1}\n"),
        [
            (
                "schema.yaml:2:12, views.v: the statement creates `w`, but the key is `v`. Write `w` as the key, "
                "or correct the name in the statement."
            ),
        ],
    ),
    (
        "a trigger on nothing",
        (
            "version: 1\n"
            "tables: {users: {columns: {a: text}}}\n"
            "triggers: {r: CREATE TRIGGER r AFTER INSERT ON user BEGIN SELECT 1; END}\n"
        ),
        [
            (
                "schema.yaml:3:15, triggers.r: the trigger is on `user`, which is no table or view here. Did you "
                "mean `users`?"
            ),
        ],
    ),
    (
        "a rename from its own name",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, renamed_from: A}\n"
            "    renamed_from: t\n"
        ),
        [
            "schema.yaml:6:37, tables.t.columns.a.renamed_from: `A` is its own name. Take this line away.",
            "schema.yaml:7:19, tables.t.renamed_from: `t` is its own name. Take this line away.",
        ],
    ),
    (
        "two renames of one",
        (
            "version: 1\n"
            "tables:\n"
            "  t:\n"
            "    columns:\n"
            "      id: {type: integer, primary_key: true}\n"
            "      a: {type: text, renamed_from: b}\n"
            "      c: {type: text, renamed_from: B}\n"
        ),
        [
            ("schema.yaml:7:37, tables.t.columns.c.renamed_from: `B` is already renamed to `a`. Keep one of the two."),
        ],
    ),
    (
        "PRAGMAs that are none",
        (
            "version: 1\n"
            "pragmas:\n"
            "  foreign_keys: true\n"
            "  cache_size: 1.5\n"
            "  'a;b': 1\n"
            "  journal_mode: [WAL]\n"
            "  synchronous: FULL; DROP\n"
            "  Foreign_Keys: ON\n"
        ),
        [
            "schema.yaml:3:17, pragmas.foreign_keys: this is a boolean. Write `ON`, as in SQL.",
            (
                "schema.yaml:4:15, pragmas.cache_size: a PRAGMA's value must be a word or a whole number, but this "
                "is the number 1.5. Write it as in SQL, such as `WAL`, `UTF-8` or `5000`."
            ),
            ('schema.yaml:5:3, pragmas."a;b": `a;b` is no PRAGMA\'s name. Write it as in SQL, such as `foreign_keys`.'),
            (
                "schema.yaml:6:17, pragmas.journal_mode: a PRAGMA's value must be a word or a whole number, but "
                "this is a list. Write it as in SQL, such as `WAL`, `UTF-8` or `5000`."
            ),
            (
                "schema.yaml:7:16, pragmas.synchronous: a PRAGMA's value must be a word or a whole number, but this "
                "is the text `FULL; DROP`. Write it as in SQL, such as `WAL`, `UTF-8` or `5000`."
            ),
            ("schema.yaml:8:3, pragmas.Foreign_Keys: the PRAGMA `Foreign_Keys` is here twice. Take one of them away."),
        ],
    ),
    (
        "no such module",
        ("version: 1\nenums: [no.such_module, 5, 'x y']\n"),
        [
            (
                "schema.yaml:2:9, enums[0]: there is no module `no.such_module`: not even `no`. It is looked for in "
                "{root} and among the installed packages; correct the name, or install it."
            ),
            'schema.yaml:2:25, enums[1]: this must be text, but is the number 5. Put it in quotes: "5".',
            "schema.yaml:2:28, enums[2]: `x y` is no module name. Write it as in `import`, such as `app.enums`.",
        ],
    ),
]


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in DAMAGE], ids=[case[0] for case in DAMAGE])
def test_damage_is_told(tmp_path: Path, text: str, said: list[str]) -> None:
    """The whole message, quickly; nothing is written."""
    (tmp_path / "schema.yaml").write_text(text)
    begun = time.monotonic()
    with pytest.raises(SchemaFileError) as caught:
        load_schema(tmp_path / "schema.yaml", root=tmp_path)
    assert time.monotonic() - begun < 1
    assert str(caught.value).replace(str(tmp_path), "{root}").splitlines() == said
    assert [path.name for path in tmp_path.iterdir()] == ["schema.yaml"]
