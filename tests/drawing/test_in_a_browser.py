"""The page in Chromium: with 150 tables, by mouse and by keyboard, without an error or a request."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.projects import edit, execute, generated_project, run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

TABLES = 150


@pytest.fixture(scope="module")
def many_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page about 150 tables, which refer to each other."""
    folder = tmp_path_factory.mktemp("many")
    chance = random.Random(5)
    statements = ["CREATE TABLE table_0 (id INTEGER PRIMARY KEY, needle TEXT CHECK (needle IN ('HAY', 'STACK')))"]
    for number in range(1, TABLES):
        parents = sorted({chance.randrange(number), chance.randrange(min(number, 5))})
        keys = ", ".join(f"to_{parent} INT REFERENCES table_{parent}" for parent in parents)
        statements.append(f"CREATE TABLE table_{number} (id INTEGER PRIMARY KEY, {keys}, a TEXT, b TEXT NOT NULL)")
    execute(folder / "many.db", *statements)
    assert run(folder, "diagram", "many.db", "-o", "many.html").status == 0
    return folder / "many.html"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser with an empty page."""
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def anywhere(chromium: Browser) -> Iterator[Browser]:
    """Return the browser. After the test, it must have reported no error and requested only the file."""
    chromium.resize(1400, 900)
    yield chromium
    assert chromium.complaints() == []
    assert len(chromium.requests()) == 1


@pytest.fixture
def page(anywhere: Browser, many_tables: Path) -> Browser:
    """Return the browser with the page about 150 tables."""
    anywhere.open(many_tables)
    return anywhere


def wait_for(page: Browser, condition: str) -> None:
    """Wait until a condition holds in the page."""
    until = time.monotonic() + 30
    while not page.run(condition):
        assert time.monotonic() < until, condition


def test_every_table_is_in_view(page: Browser) -> None:
    """All cards are within the window at first, and each shows its name."""
    assert page.run("shownCards().length") == TABLES
    inside = """elements.every((card) => {
      const box = card.getBoundingClientRect();
      return box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
    })"""
    assert page.run(inside)
    assert page.run("getComputedStyle(document.querySelector('.far')).display") == "block"


def test_search(page: Browser) -> None:
    """`/` goes to the search, typing finds tables by their values, Enter selects, and Escape goes back step by step."""
    page.press("/")
    assert page.run("document.activeElement.id") == "search"
    for letter in "stack":
        page.press(letter)
    assert page.run("document.querySelectorAll('#list li:not([hidden])').length") == 1
    assert page.run("document.querySelectorAll('.row.hit').length") == 1
    page.press("Enter")
    assert page.run("document.querySelector('#details h2').textContent") == "table_0"
    assert page.run("document.querySelector('.chips').textContent") == "HAYSTACK"
    page.press("Escape")
    assert page.run("search.value") == ""
    page.press("Escape")
    assert page.run("$('details').hidden")


def test_zoom(page: Browser) -> None:
    """The keys and the wheel zoom; the wheel keeps the place below the pointer."""
    before = page.run("view.k")
    page.press("+")
    page.press("+")
    assert page.run("view.k") > before
    page.press("0")
    assert page.run("view.k") == before
    place = "(view.x - 500) / view.k"
    left = page.run("board.getBoundingClientRect().left")
    was = page.run(place)
    page.mouse("mouseWheel", 500 + left, 400, deltaX=0, deltaY=-300)
    wait_for(page, f"view.k > {before}")
    assert page.run(place) == pytest.approx(was)


def test_pan(page: Browser) -> None:
    """Dragging moves the diagram and selects nothing."""
    before = page.run("[view.x, view.y]")
    for kind, x, y in (
        ("mousePressed", 700, 450),
        ("mouseMoved", 720, 460),
        ("mouseMoved", 760, 480),
        ("mouseReleased", 760, 480),
    ):
        page.mouse(kind, x, y, button="left", buttons=1, clickCount=1)
    wait_for(page, f"view.x !== {before[0]}")
    assert page.run("[view.x, view.y]") == [before[0] + 60, before[1] + 30]
    assert page.run("state.selected") is None


def test_neighbors(page: Browser) -> None:
    """A click selects a table; its neighbors stand out, and `Hide the rest` leaves only those."""
    page.click(".card[data-number='7']")
    assert page.run("state.selected") == 7
    near = page.run("neighborsOf(7).size")
    assert 1 < near < TABLES
    assert page.run("document.querySelectorAll('.card.near').length") == near
    page.run("$('only').click()")
    visible = "elements.filter((card) => getComputedStyle(card).visibility === 'visible').length"
    assert page.run(visible) == near
    page.run("$('only').click()")
    assert page.run(visible) == TABLES
    assert page.run("location.hash") == "#table_7"


def test_arrow_keys(page: Browser) -> None:
    """Tab reaches a table, the arrow keys go on to the one beside it, and Enter selects it."""
    page.run("elements[0].focus()")
    page.press("ArrowRight")
    first = page.run("Number(document.activeElement.dataset.number)")
    assert page.run(f"boxOf({first})[0] > boxOf(0)[0]")
    assert page.run("document.activeElement.tabIndex") == 0
    assert page.run("document.querySelectorAll('.card[tabindex=\"0\"]').length") == 1
    page.press("Enter")
    assert page.run("state.selected") == first
    page.press("ArrowLeft")
    assert page.run("Number(document.activeElement.dataset.number)") != first


def test_tab_passes_all_tables_at_once(page: Browser) -> None:
    """Tab goes from the search over the filter to the list, and next to the diagram; the arrow keys go through the list."""
    page.press("/")
    seen = []
    for _ in range(3):
        page.press("Tab")
        seen.append(page.run("document.activeElement.id || document.activeElement.closest('#list, #board').id"))
    assert seen == ["only", "list", "board"]
    page.press("/")
    page.press("ArrowDown")
    page.press("ArrowDown")
    page.press("Enter")
    assert page.run("faceOf(state.selected).name") == "table_1"


def test_every_control_has_a_name(page: Browser) -> None:
    """Screen readers find a name for every button, field and card, and the page's parts."""
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "textbox", "searchbox", "slider", "checkbox", "complementary", "main", "article"}
    parts = [
        (node["role"]["value"], node["name"]["value"]) for node in tree if node.get("role", {}).get("value") in roles
    ]
    assert ("searchbox", "Search tables, columns, values and comments") in parts
    assert len(parts) > TABLES
    assert [role for role, name in parts if not name] == []


def test_theme(page: Browser) -> None:
    """The page follows the system's theme, and `t` switches it."""
    color = "getComputedStyle(document.body).backgroundColor"
    light = page.run(color)
    page.resize(1400, 900, dark=True)
    dark = page.run(color)
    assert dark != light
    page.press("t")
    assert page.run(color) == light
    page.press("t")
    assert page.run(color) == dark


def test_history(anywhere: Browser, tmp_path: Path) -> None:
    """`h` opens the history, the keys step through it, and Escape leaves it."""
    folder = generated_project(tmp_path / "p")
    edit(folder / "schema.yaml", "      body: text\n", "      body: text\n      author: text\n")
    assert run(folder, "generate", "-m", "author").status == 0
    assert run(folder, "diagram", "-o", "s.html").status == 0
    anywhere.open(folder / "s.html")
    anywhere.press("h")
    assert anywhere.run("$('step').firstChild.textContent") == "0002_author"
    assert anywhere.run("document.querySelector('.row.added .column').textContent") == "author"
    anywhere.press("[")
    assert anywhere.run("document.querySelectorAll('.card.added').length") == 2
    assert anywhere.run("$('changes').textContent").startswith("added table tasks")
    anywhere.press("Escape")
    assert anywhere.run("state.moment") == "now"
    assert anywhere.run("document.querySelectorAll('.card.added, .row.added').length") == 0


def test_link_to_a_table(anywhere: Browser, tmp_path: Path) -> None:
    """The name of a table in the address selects it."""
    folder = generated_project(tmp_path / "p")
    assert run(folder, "diagram", "-o", "s.html").status == 0
    anywhere.open(folder / "s.html", "#notes")
    assert anywhere.run("document.querySelector('#details h2').textContent") == "notes"
