"""Enums are loaded from the application's modules each time, and every problem with them is reported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import waiaas_migrate.waiaas.enums
from tests.support.projects import generated_project, run
from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.enum_sources.definitions import LoadedEnums, unknown_enum
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums
from waiaas_migrate.files.problem_report import Origin

AT = Origin(file="schema.yaml", line=2, column=8, path="enums")


def load(root: Path, *modules: str) -> LoadedEnums:
    """Return the enums of a project's modules."""
    return load_enums([EnumSource(module, AT) for module in modules], root=root)


def values(enums: LoadedEnums, name: str) -> tuple[str | int, ...]:
    """Return the values of an enum that can be used."""
    found = enums.find(name)
    assert found is not None
    assert found.problem == ""
    return found.values


def complaint(root: Path, *modules: str) -> str:
    """Return the error for modules that can't be imported."""
    with pytest.raises(SchemaFileError) as caught:
        load(root, *modules)
    return str(caught.value)


def test_every_kind_of_enum_is_found(tmp_path: Path) -> None:
    """Enum classes, Literals, tuples and lists give plain strings and integers, in their order."""
    (tmp_path / "app_enums.py").write_text(
        "import enum, typing\n"
        "class Plain(enum.Enum):\n    B = 'b'\n    A = 'a'\n    ALIAS = 'b'\n"
        'class Text(enum.StrEnum):\n    X = enum.auto()\n    QUOTED = "it\'s"\n'
        "class Number(enum.IntEnum):\n    ONE = 1\n    MINUS = -1\n"
        "Words = typing.Literal['p', 'q', 3]\n"
        "NAMES = ('m', 'n')\n"
        "MEMBERS = list(Text)\n"
    )
    enums = load(tmp_path, "app_enums")
    assert values(enums, "Plain") == ("b", "a")
    assert values(enums, "Text") == ("x", "it's")
    assert values(enums, "Number") == (1, -1)
    assert values(enums, "Words") == ("p", "q", 3)
    assert values(enums, "NAMES") == ("m", "n")
    assert values(enums, "MEMBERS") == ("x", "it's")
    assert {type(value) for value in values(enums, "MEMBERS")} == {str}


_INSTEAD = "(use an integer column, such as `{type: integer, check: a BETWEEN 0 AND 7}`)"
_FLAG = f"it is an `enum.Flag`, and a list of its values would refuse combinations of them {_INSTEAD}"
_FLAG_MEMBER = f"it has a member of an `enum.Flag`, whose members can be combined {_INSTEAD}"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("()", "it has no values"),
        ("enum.Enum('E', [])", "it has no values"),
        ("('a', 'b', 'a')", "its value 'a' appears twice"),
        ("('a', 1.5)", "its value 1.5 is neither a string nor an integer"),
        ("['a', None]", "its value None is neither a string nor an integer"),
        ("(1, True)", "its value True is neither a string nor an integer"),
        ("('a\\0b',)", "its value 'a\\x00b' contains a character that SQL text can't hold"),
        ("('\\ud800',)", "its value '\\ud800' contains a character that SQL text can't hold"),
        ("(2 ** 63,)", "its value 9223372036854775808 does not fit into SQLite's 64 bits"),
        ("enum.Flag('E', 'A B')", _FLAG),
        ("enum.IntFlag('E', 'A B')", _FLAG),
        ("list(enum.IntFlag('F', 'A B'))", _FLAG_MEMBER),
        ("typing.Literal[enum.IntFlag('F', 'A B').A]", _FLAG_MEMBER),
        ("['a'] * 2 + [str(n) for n in range(50_000)]", "its value 'a' appears twice"),
        ("5", "it is a single value, not a list"),
        ("{'a': 1}", "it is not an enum, Literal, tuple or list (but `dict`)"),
    ],
)
def test_unusable_values_have_a_reason(tmp_path: Path, source: str, problem: str) -> None:
    """For a definition that can't be an enum, the error gives the reason."""
    (tmp_path / "app_enums.py").write_text(f"import enum, typing\nE = {source}\n")
    found = load(tmp_path, "app_enums").find("E")
    assert found is not None
    assert found.problem == problem


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("raise SystemExit", "SystemExit"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("from no_such_thing import E", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("def f(:", "SyntaxError: invalid syntax (app_enums.py, line 1)"),
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("class E(Exception):\n  def __str__(self): raise SystemExit(0)\nraise E", "E"),
        ("class E(BaseException):\n  def __str__(self): raise ValueError\nraise E", "E"),
    ],
)
def test_a_module_that_fails_is_named(tmp_path: Path, source: str, said: str) -> None:
    """Any exception during an import is reported in one sentence without a traceback."""
    (tmp_path / "app_enums.py").write_text(source)
    assert complaint(tmp_path, "app_enums") == (
        f"schema.yaml:2:8, enums: can't import the module `app_enums`: {said}. "
        f"Make `python -c 'import app_enums'` work."
    )


def test_a_module_that_exits(tmp_path: Path) -> None:
    """SystemExit is reported as an error of the module, and doesn't end ``check`` with status 0."""
    project = generated_project(tmp_path)
    lazy = "class Meta(type(enum.Enum)):\n  def __iter__(cls): raise SystemExit(0)\n"
    for source in ("raise SystemExit(0)", f"import enum\n{lazy}class STATES(enum.Enum, metaclass=Meta):\n  A = 1\n"):
        (project / "kinds.py").write_text(source)
        for command in ("check", "generate"):
            done = run(project, command)
            assert (done.status, "SystemExit: 0" in done.err) == (2, True)


def test_long_lists_are_read(tmp_path: Path) -> None:
    """A list of 100,000 words in the module is loaded completely, used or not."""
    (tmp_path / "app_enums.py").write_text("WORDS = [str(n) for n in range(100_000)]\n")
    assert len(values(load(tmp_path, "app_enums"), "WORDS")) == 100_000


def test_all_missing_modules_are_reported(tmp_path: Path) -> None:
    """The error names each missing module and where it was looked up."""
    (tmp_path / "app_package").mkdir()
    fix = f"It is looked up in {tmp_path} and among the installed packages. Correct the name, or install it."
    assert complaint(tmp_path, "app_nothing.enums", "app_package.enums", "a b") == (
        f"schema.yaml:2:8, enums: `a b` is neither a module nor a file that can be read. "
        f"Write a module such as `app.enums`, or a file such as `src/enums.ts`.\n"
        f"schema.yaml:2:8, enums: no module `app_nothing`. {fix}\n"
        f"schema.yaml:2:8, enums: no module `app_package.enums`. {fix}"
    )


def test_an_unknown_name_gets_a_suggestion(tmp_path: Path) -> None:
    """The error suggests a similar name, or names the module that could define it."""
    (tmp_path / "app_enums.py").write_text("STATUSES = ('a',)\n")
    enums = load(tmp_path, "app_enums")
    assert enums.find("STATUSSES") is None
    assert unknown_enum("STATUSSES", enums) == (
        "unknown enum `STATUSSES`.",
        "Did you mean `STATUSES`?",
    )


def test_a_name_in_two_modules(tmp_path: Path) -> None:
    """Two modules may define the same list, but not different ones."""
    (tmp_path / "app_one.py").write_text("SAME = ('a',)\nOTHER = ('a',)\n")
    (tmp_path / "app_two.py").write_text("from app_one import SAME\nOTHER = ('b',)\n")
    enums = load(tmp_path, "app_one", "app_two")
    found = enums.find("OTHER")
    assert values(enums, "SAME") == ("a",)
    assert found is not None
    assert found.problem == "it has different values in `app_one` and `app_two`"


def test_an_edit_is_seen_at_once(tmp_path: Path) -> None:
    """The source is read again, even within a second and with the same size, also in imported modules."""
    package = tmp_path / "src" / "app_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "enums.py").write_text("from app_package.values import A\nE = (A,)\n")
    for word in ("one", "two", "six"):
        (package / "values.py").write_text(f"A = {word!r}\n")
        assert values(load(tmp_path, "app_package.enums"), "E") == (word,)
    assert not list(tmp_path.rglob("__pycache__"))


def test_modules_in_use_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The project's copy of a module in use is loaded without replacing it, and prints to stderr."""
    before, path, finders = dict(sys.modules), list(sys.path), list(sys.meta_path)
    package = tmp_path / "waiaas_migrate" / "waiaas"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "enums.py").write_text("CHAIN_TYPES = ('solana', 'bitcoin')\nprint('hello')\n")
    assert values(load(tmp_path, "waiaas_migrate.waiaas.enums"), "CHAIN_TYPES") == ("solana", "bitcoin")
    assert sys.modules["waiaas_migrate.waiaas.enums"] is waiaas_migrate.waiaas.enums
    assert {name: module for name, module in sys.modules.items() if name in before} == before
    assert (sys.path, sys.meta_path) == (path, finders)
    assert capsys.readouterr() == ("", "hello\n")


def test_the_enums_that_ship_are_found() -> None:
    """All twelve enums of the daemon are found."""
    root = Path(__file__).parents[2]
    enums = load(root, "waiaas_migrate.waiaas.enums")
    assert values(enums, "CHAIN_TYPES") == ("solana", "ethereum")
    assert values(enums, "ChainType") == ("solana", "ethereum")
