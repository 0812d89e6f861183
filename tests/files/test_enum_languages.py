"""Enums from TypeScript, JSON, YAML, schema.yaml, and literal Python are read as those languages define them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.support.projects import CHECKOUT, listing, run, write_project
from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.enum_sources.definitions import LoadedEnums
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.schema_file.json_schema import json_schema

AT = Origin(file="schema.yaml", line=2, column=8, path="enums")


def load(root: Path, *sources: str, used: tuple[str, ...] | None = None) -> LoadedEnums:
    """Return the enums of a project."""
    return load_enums([EnumSource(source, AT) for source in sources], root=root, used=used)


def read(root: Path, file: str, text: str) -> dict[str, tuple[str | int, ...] | str]:
    """Return the values of each enum in a file, or the problem with its place."""
    (root / file).write_text(text, encoding="utf-8")
    found = load(root, file).definitions
    return {one.name: str(one.as_problem()) if one.problem else one.values for one in found}


TYPESCRIPT = {
    "an array": ("export const E = ['a', \"b\", `c`, 1, -2,] as const;", ("a", "b", "c", 1, -2)),
    "without as const": ("export const E = ['a']", ("a",)),
    "satisfies": ("export const E = ['a'] as const satisfies readonly string[];", ("a",)),
    "a type assertion": ("export const E = <const>['a'];", ("a",)),
    "frozen": ("export const E: readonly string[] = Object.freeze(['a', 'b']);", ("a", "b")),
    "comments": ("/** doc */\nexport const E = [\n  'a', // first\n  /* second */ 'b',\n] as const;", ("a", "b")),
    "escapes": (
        r"export const E = ['it\'s', '\u{1F600}', '\uD83D\uDE01', '\x41\n', '\q']",
        ("it's", "😀", "😁", "A\n", "q"),
    ),
    "a spread": (
        "const B = ['a', 'b'] as const; export const E = [...B, 'c', ...B2]; const B2 = ['d']",
        ("a", "b", "c", "d"),
    ),
    "a constant": ("const A = 'a'; export const E = [A, 'b'] as const;", ("a", "b")),
    "an enum": ("export enum E { A = 'a', 'B-C' = \"b\", D = A }", ("a", "b")),
    "a numbered enum": ("export const enum E { A, B, C = 5, D }", (0, 1, 5, 6)),
    "a declared enum": ("export declare enum E { A = 'a' }", ("a",)),
    "an object": ("export const E = { A: 'a', 'B-C': 'b', ...C } as const; const C = { D: 'd' }", ("a", "b", "d")),
    "members": ("enum X { A = 'a', B = 'b' }\nexport const E = [X.B, X['A']] as const;", ("b", "a")),
    "values of an enum": ("enum X { A = 'a', B = 'b' }\nexport const E = Object.values(X);", ("a", "b")),
    "a union": ("export type E = | 'a' | 'b' | (F | 3);\ntype F = 'c';", ("a", "b", "c", 3)),
    "a type of one": ("export type E = 'a';", ("a",)),
    "the type of an array": ("const X = ['a', 'b'] as const;\nexport type E = (typeof X)[number];", ("a", "b")),
    "the type of an object": ("const X = { A: 'a' } as const;\nexport type E = (typeof X)[keyof typeof X];", ("a",)),
    "the type of an enum": ("enum X { A = 'a' }\nexport type E = `${X}`;", ("a",)),
    "an object and its type": (
        "export const E = { A: 'a' } as const;\nexport type E = (typeof E)[keyof typeof E];",
        ("a",),
    ),
    "another name": ("const X = ['a'] as const;\nexport { X as E };", ("a",)),
    "unrelated errors": ("export const E = ['a'];\nfunction f( { return }\n", ("a",)),
}


@pytest.mark.parametrize("case", TYPESCRIPT)
def test_typescript(tmp_path: Path, case: str) -> None:
    """Every form in which TypeScript declares lists of values is read with the values that it has at runtime."""
    text, values = TYPESCRIPT[case]
    assert read(tmp_path, "enums.ts", text)["E"] == values


TYPESCRIPT_ERRORS = {
    "const E = ['a', f(), 'b']": "1:17, E: can't be an enum: element 2 is not a string literal.",
    "const E = [\n  'a',\n  `x${1}`,\n]": "3:3, E: can't be an enum: element 2 is not a string literal.",
    "const E = ['a', 1.5]": "1:17, E: can't be an enum: element 2 is not a string literal.",
    "const E = f()": "1:11, E: can't be an enum: it is not an array, an enum, an object or a union of literals.",
    "const E = 'a'": "1:11, E: can't be an enum: it is a single value, not a list.",
    "const E = []": "1:11, E: can't be an enum: it has no values.",
    "const E = ['a', 'a']": "1:11, E: can't be an enum: its value 'a' appears twice.",
    "let E = ['a']": "1:5, E: can't be an enum: it can change, since it is not a `const`.",
    "const E = ['a' 'b']": "1:12, E: can't be an enum: there is a syntax error here.",
    "const E = [...X]": "1:15, E: can't be an enum: `X` is unknown.",
    "const E = [...F]; const F = [...E]": "1:33, E: can't be an enum: it refers to itself.",
    "const E = E2.A; const E2 = E.A": "1:28, E: can't be an enum: it refers to itself.",
    "enum E { A = 'a', B = f() }": "1:23, E: can't be an enum: member `B` is not a string literal.",
    "enum E { A = 'a', B }": "1:19, E: can't be an enum: member `B` is not a string literal.",
    "enum E { A = 'a' }\nenum E { B = 'b' }": "2:1, E: can't be an enum: it is declared twice.",
    "type E = 'a' | string": "1:16, E: can't be an enum: element 2 is not a string literal.",
    "import { E } from '@org/enums'": "1:10, E: can't be an enum: it comes from `@org/enums`, which is not a file of the project.",
    "import { E } from './nowhere'": "1:10, E: can't be an enum: it comes from `./nowhere`, which is not a file of the project.",
    "import { E } from './other'": "1:10, E: can't be an enum: `E` is not in other.ts.",
}


@pytest.mark.parametrize("text", TYPESCRIPT_ERRORS)
def test_typescript_that_is_no_list(tmp_path: Path, text: str) -> None:
    """The error names the file, the line, the enum, and what is wrong with it."""
    (tmp_path / "other.ts").touch()
    (tmp_path / "enums.ts").write_text(f"{text};\nexport {{ E }};", encoding="utf-8")
    found = load(tmp_path, "enums.ts", used=("E",)).find("E")
    assert found is not None
    assert str(found.as_problem()).startswith(f"enums.ts:{TYPESCRIPT_ERRORS[text]} ")


def test_imports_and_reexports_are_followed(tmp_path: Path) -> None:
    """Imports are followed through files, folders, the compiler's file names, namespaces and cycles.

    Places are those of the values.
    """
    files = {
        "index.ts": "export * from './a.js'; export { B as RENAMED } from './lib'; export * as ns from './a';\n"
        "import * as all from './lib';\nimport d, { type X } from './d';\nexport const ALL = [...all.B, ...d, 'z'];",
        "a.ts": "export * from './index';\nexport const A = ['a'] as const;",
        "lib/index.ts": "export const B = ['b'] as const;",
        "d.mts": "const inner = ['d'];\nexport default inner;",
    }
    for name, text in files.items():
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text(text, encoding="utf-8")
    found = load(tmp_path, "src/index.ts")
    values = {one.name: one.values for one in found.definitions}
    assert values == {"RENAMED": ("b",), "ALL": ("b", "d", "z"), "A": ("a",)}
    whole = found.find("ALL")
    assert whole is not None
    assert [(place.file, place.line) for place in whole.places] == [
        ("src/lib/index.ts", 1),
        ("src/d.mts", 1),
        ("src/index.ts", 4),
    ]


def test_a_name_in_two_files_of_typescript(tmp_path: Path) -> None:
    """A name that two re-exported files define is ambiguous, as it is for the compiler."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.ts").write_text(f"export const E = ['{name}'];", encoding="utf-8")
    assert read(tmp_path, "enums.ts", "export * from './a'; export * from './b';") == {
        "E": "enums.ts, E: can't be an enum: `E` is in a.ts and b.ts. Rename one of them."
    }


def test_doubling_ends(tmp_path: Path) -> None:
    """Spreads that double a list sixty times are reported quickly."""
    text = "const E0 = ['a'];" + "".join(f"const E{n} = [...E{n - 1}, ...E{n - 1}];" for n in range(1, 60))
    (tmp_path / "enums.ts").write_text(f"{text}export {{ E59 }};", encoding="utf-8")
    (found,) = load(tmp_path, "enums.ts").definitions
    assert found.problem == "it has more than 100,000 values"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("enums.json", '{"E": ["a", "b\\u00e9", 3],\n\t"M": {"A": "a"}, "version": 1, "BAD": [true], "NONE": []}'),
        ("enums.yaml", "E: [a, bé, 3]\nM: {A: a}\nversion: 1\nBAD: [true]\nNONE: []\n"),
    ],
)
def test_data(tmp_path: Path, file: str, text: str) -> None:
    """JSON and YAML files contain lists, and members with values, by name."""
    found = read(tmp_path, file, text)
    assert (found["E"], found["M"]) == (("a", "bé", 3), ("a",))
    assert "BAD: can't be an enum: element 1 is not text or a whole number." in str(found["BAD"])
    assert "NONE: can't be an enum: it has no values." in str(found["NONE"])
    assert "version: can't be an enum: it is not a list of values." in str(found["version"])


PYTHON = {
    "a tuple": ("E = ('a', 'b' 'c', 1, -2)", ("a", "bc", 1, -2)),
    "a list with an annotation": ("E: list[str] = ['a']", ("a",)),
    "a StrEnum": (
        "from enum import StrEnum, auto\nclass E(StrEnum):\n  '''Doc'''\n  A = 'a'\n  B = auto()\n  C = 'a'",
        ("a", "b"),
    ),
    "an enum with a mixin": (
        "import enum as e\n@e.unique\nclass E(str, e.Enum):\n  A = 'a'\n  def f(self): ...",
        ("a",),
    ),
    "an IntEnum": ("import enum\nclass E(enum.IntEnum):\n  A = enum.auto()\n  B = enum.auto()", (1, 2)),
    "a Literal": ("import typing as t\nE = t.Literal['a', 3]", ("a", 3)),
    "unpacking": ("A = ('a',)\nE = (*A, 'b')", ("a", "b")),
    "a sum": ("A = ['a']\nE = A + ['b']", ("a", "b")),
    "the members of an enum": ("import enum\nclass X(enum.Enum):\n  A = 'a'\n  B = 'b'\nE = tuple(X)", ("a", "b")),
    "the values of an enum": ("import enum\nclass X(enum.Enum):\n  A = 'a'\nE = [m.value for m in X]", ("a",)),
    "chosen members": ("import enum\nclass X(enum.Enum):\n  A = 'a'\n  B = 'b'\nE = (X.B, X.A.value)", ("b", "a")),
    "the arguments of a Literal": ("from typing import Literal, get_args\nX = Literal['a']\nE = get_args(X)", ("a",)),
    "another module": ("from lib.kinds import KINDS as K\nE = (*K, 'b')", ("k", "b")),
    "a module in the package": ("from lib import *", ("from lib",)),
}


@pytest.mark.parametrize("case", PYTHON)
def test_python_is_read_without_running_it(tmp_path: Path, case: str) -> None:
    """Literal values are read from the source, as an import would find them, although the module can't be imported."""
    text, values = PYTHON[case]
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text("from .more import E\n", encoding="utf-8")
    (tmp_path / "lib" / "more.py").write_text("E = ('from lib',)\n", encoding="utf-8")
    (tmp_path / "lib" / "kinds.py").write_text("KINDS = ('k',)\n", encoding="utf-8")
    (tmp_path / "runs_fine.py").write_text(text, encoding="utf-8")
    (tmp_path / "fails.py").write_text(f"{text}\n\nraise SystemExit('it ran')\n", encoding="utf-8")
    for name in ("fails", "fails.py", "runs_fine"):
        found = load(tmp_path, name, used=("E",)).find("E")
        assert found is not None
        assert (found.values, found.problem) == (values, "")
    namespace = subprocess.run(
        [
            sys.executable,
            "-c",
            "import runs_fine as m, typing; e = m.E; print([getattr(v, 'value', v) for v in typing.get_args(e) or e])",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert namespace.stdout == f"{list(values)}\n"


@pytest.mark.parametrize(
    "text",
    [
        "E = ['a']\nE.append('b')",
        "E = ['a']\nE[0:] = ['a', 'b']",
        "E = ('a',)\nE += ('b',)",
        "E = ('a',)\nE = ('a', 'b')",
        "E = ('a',)\nif True:\n  E = ('a', 'b')",
        "E = ('a',)\ndef f():\n  global E\n  E = ('a', 'b')\nf()",
        "E = ('a',)\nfrom lib import *",
        "import enum\nE = enum.Enum('E', {'A': 'a', 'B': 'b'})",
        "import enum\nclass E(enum.Enum):\n  A = 1\n  B = 2\n  def __new__(cls, n):\n    m = object.__new__(cls)\n    m._value_ = 'xab'[n]\n    return m",
        "import enum\nclass E(str, enum.Enum):\n  A = 'a'\n  B = b'b', 'ascii'",
        "import enum\nclass StrEnum(str, enum.Enum): ...\nclass E(StrEnum):\n  A = 'a'\n  B = 'b'",
        "try:\n  from nowhere import E\nexcept ImportError:\n  E = ('a', 'b')",
        "def list(x): return ('a', 'b')\nE = list(('a',))",
    ],
)
def test_computed_python_is_imported(tmp_path: Path, text: str) -> None:
    """If the source alone doesn't show a value, the module is imported."""
    (tmp_path / "lib.py").write_text("E = ('a', 'b')\n", encoding="utf-8")
    (tmp_path / "computed_enums.py").write_text(f"{text}\n", encoding="utf-8")
    found = load(tmp_path, "computed_enums", used=("E",)).find("E")
    assert found is not None
    assert (found.values, found.problem) == (("a", "b"), "")


TABLE = "tables:\n  tasks:\n    columns:\n      id: {type: integer, primary_key: true}\n"


def test_several_sources(tmp_path: Path) -> None:
    """Modules, files and lists in schema.yaml may be mixed; paths are relative to the project's folder."""
    sources = "enums: [src/enums.ts, kinds, shared/enums.json, {INLINE: [x, y], MEMBERS: {A: a}}]\n"
    columns = "".join(
        f"      {name.lower()}: {{type: text, enum: {name}}}\n" for name in ("TS", "STATES", "JS", "INLINE")
    )
    project = write_project(tmp_path, f"version: 1\n{sources}{TABLE}{columns}")
    for folder in ("src", "shared"):
        (project / folder).mkdir()
    (project / "src" / "enums.ts").write_text("export const TS = ['t'] as const;", encoding="utf-8")
    (project / "shared" / "enums.json").write_text('{"JS": ["j"]}', encoding="utf-8")
    assert run(project, "generate").status == 0
    sql = (project / "migrations" / "0001_initial.sql").read_text(encoding="utf-8")
    for values in ("'t'", "'open', 'done'", "'j'", "'x', 'y'"):
        assert f"IN ({values}))" in sql
    schema = (project / "schema.yaml").read_text(encoding="utf-8")
    assert jsonschema.Draft7Validator(json_schema()).is_valid(yaml.safe_load(schema))
    (project / "schema.yaml").write_text(schema.replace("[x, y]", "[x, y, z]"), encoding="utf-8")
    done = run(project, "check")
    assert "INLINE: value 'z' is in schema.yaml:2, but the migrations do not allow it in tasks.inline." in done.out
    inspected = run(project, "apply", "app.db"), run(project, "inspect", "app.db", "--enums")
    assert [one.status for one in inspected] == [0, 0]
    text = inspected[1].out
    assert "enums: [src/enums.ts, kinds, shared/enums.json, {INLINE: [x, y, z], MEMBERS: {A: a}}]\n" in text
    assert "ts: {type: text, enum: TS}" in text


@pytest.mark.parametrize(
    ("sources", "problem"),
    [
        ("src/enum.ts", "schema.yaml:2:8, enums: no such file: `src/enum.ts`. Did you mean `src/enums.ts`?"),
        ("enums.toml/x", "schema.yaml:2:8, enums: `enums.toml/x` is neither a module nor a file that can be read. "),
        (
            "[src/enums.ts]",
            "schema.yaml:7:29, tables.tasks.columns.a.enum: unknown enum `STATS`. Did you mean `STATES`?",
        ),
        (
            "{STATS: [a, true]}",
            "schema.yaml:2:20, STATS: can't be an enum: element 2 is not text or a whole number. Put it in quotes.",
        ),
        ("bad.json", "bad.json:2:1: "),
        ("list.yaml", "list.yaml:1: expected a mapping of names to lists. Write `NAME: [a, b]`."),
        ("[src/enums.ts, 3]", "schema.yaml:2:23, enums[1]: expected text, found the number 3. "),
    ],
)
def test_mistakes_in_sources(tmp_path: Path, sources: str, problem: str) -> None:
    """Each mistake has its place and a fix; nothing is written."""
    project = write_project(tmp_path, f"version: 1\nenums: {sources}\n{TABLE}      a: {{type: text, enum: STATS}}\n")
    (project / "src").mkdir()
    (project / "src" / "enums.ts").write_text("export const STATES = ['a'] as const;", encoding="utf-8")
    (project / "bad.json").write_text("{", encoding="utf-8")
    (project / "list.yaml").write_text("[a]", encoding="utf-8")
    before = listing(project)
    done = run(project, "generate")
    assert (done.status, done.out) == (2, "")
    assert problem in done.err
    assert listing(project) == before


def test_without_the_extra(tmp_path: Path) -> None:
    """Without tree-sitter, the error has the command that installs it."""
    (tmp_path / "enums.ts").write_text("export const STATES = ['a'] as const;", encoding="utf-8")
    write_project(tmp_path, f"version: 1\nenums: enums.ts\n{TABLE}      a: {{type: text, enum: STATES}}\n")
    code = (
        "import sys; sys.modules['tree_sitter'] = None; from waiaas_migrate.cli import main; sys.exit(main(['check']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    fix = "Run `python -m pip install 'waiaas-migrate[typescript]'`."
    assert (done.returncode, done.stderr) == (2, f"Error: enums.ts: reading TypeScript needs tree-sitter. {fix}\n")


def test_the_source_of_a_missing_name(tmp_path: Path) -> None:
    """A syntax error that may hide an enum is reported instead of an unknown name."""
    (tmp_path / "enums.ts").write_text("export const A = ['a'];\nexport const = ['b'];\n", encoding="utf-8")
    found = load(tmp_path, "enums.ts", used=("B",)).find("B")
    assert found is not None
    assert str(found.as_problem()) == "enums.ts:2:8, B: can't be an enum: the file has a syntax error here. Correct it."


def test_nesting_without_end(tmp_path: Path) -> None:
    """Brackets nested 100,000 deep are an error, or are skipped without affecting other enums."""
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "enums.ts").write_text(f"export const E = ['a']; export const D = {deep};", encoding="utf-8")
    with pytest.raises(SchemaFileError, match=r"enums\.ts: values are nested too deep\."):
        load(tmp_path, "enums.ts")


def test_python_that_is_not_utf8(tmp_path: Path) -> None:
    """A Python module is read in the encoding that it declares, and its escapes cause no warnings."""
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nE = ('\xe9',)\n")
    (tmp_path / "escapes.py").write_text("E = ('a',)\nPATTERN = '\\d'\n", encoding="utf-8")
    for module, values in (("latin", ("é",)), ("escapes", ("a",))):
        found = load(tmp_path, module, used=("E",)).find("E")
        assert found is not None
        assert found.values == values
