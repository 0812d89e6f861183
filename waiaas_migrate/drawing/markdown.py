"""Write a picture as documentation of the tables: one Markdown file for a repository."""

from __future__ import annotations

import re
from collections.abc import Iterator

from waiaas_migrate.drawing.cards import Card, Picture, Row
from waiaas_migrate.drawing.mermaid import mermaid
from waiaas_migrate.drawing.plain_text import on_one_line

#: The most tables in a drawing. A larger one is hard to read, and GitHub doesn't draw very large ones.
_MAX_DRAWN_TABLES = 40


def markdown(picture: Picture, *, title: str) -> str:
    """Return the documentation: a drawing of the relations, a list, and a section for each table."""
    anchors = {key: f"table-{number}" for number, key in enumerate(picture.cards, 1)}
    lines = ["<!-- Written by waiaas-migrate diagram. -->", "", f"# {_escape_markup(title)}", ""]
    if len(picture.cards) <= _MAX_DRAWN_TABLES and picture.relations:
        lines += ["```mermaid", *mermaid(picture).splitlines()[1:], "```", ""]
    lines += ["| Table | Columns | Comment |", "| --- | --- | --- |"]
    for key, card in picture.cards.items():
        columns = str(len(card.rows)) if card.kind == "table" else card.kind
        comment = _escape_bars(_escape_markup(card.comment or ""))
        lines.append(f"| {_link(key, picture, anchors)} | {columns} | {comment} |")
    for key, card in picture.cards.items():
        lines += ["", *_section(key, card, picture, anchors)]
    return "\n".join(lines) + "\n"


def _section(key: str, card: Card, picture: Picture, anchors: dict[str, str]) -> Iterator[str]:
    yield from (f'<a id="{anchors[key]}"></a>', "", f"## {_code(card.name)}")
    kind = [*([] if card.kind == "table" else [card.kind]), *card.options]
    for paragraph in filter(None, [_escape_markup(card.comment or ""), ", ".join(kind)]):
        yield from ("", paragraph)
    if card.rows:
        yield from (
            "",
            "| Column | Type | Null | Key | Default | Values and comment |",
            "| --- | --- | --- | --- | --- | --- |",
        )
        yield from map(_column, card.rows)
    references = [(one.parent, one.words) for one in picture.relations if one.child == key]
    referenced_by = [(one.child, one.words) for one in picture.relations if one.parent == key]
    lists = {
        "References": [f"{_link(other, picture, anchors)}: {_code(words)}" for other, words in references],
        "Referenced by": [f"{_link(other, picture, anchors)}: {_code(words)}" for other, words in referenced_by],
        "Indexes": [*map(_code, card.indexes)],
        "CHECKs": [*map(_code, card.checks)],
        "Triggers": [*map(_code, card.triggers)],
    }
    for title, items in lists.items():
        if items:
            yield from ("", f"**{title}**", "", *(f"- {item}" for item in items))
    if card.statement:
        fence = _fence(card.statement, 3)
        yield from ("", f"{fence}sql", *card.statement.splitlines(), fence)


def _column(row: Row) -> str:
    keys = [key for key, is_set in (("PK", row.primary), ("FK", row.foreign), ("unique", row.unique)) if is_set]
    values = ", ".join(_code(value) for value in row.values)
    computed = f"generated as {_code(row.generated)}" if row.generated else ""
    notes = ". ".join(filter(None, [values, computed, row.comment and _escape_markup(row.comment)]))
    cells = [
        _code(row.name),
        _code(row.type),
        "yes" if row.nullable else "",
        ", ".join(keys),
        _code(row.default),
        notes,
    ]
    return f"| {' | '.join(map(_escape_bars, cells))} |"


def _link(key: str, picture: Picture, anchors: dict[str, str]) -> str:
    return f"[{_escape_bars(_code(picture.cards[key].name))}](#{anchors[key]})"


def _code(text: str | None) -> str:
    """Return ``text`` as a code span, in which nothing is markup."""
    text = on_one_line(text or "")
    if not text:
        return ""
    fence = _fence(text, 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _fence(text: str, minimum: int) -> str:
    """Return at least ``minimum`` backticks, and more than ``text`` has in a row."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(minimum, longest + 1)


def _escape_markup(text: str) -> str:
    """Return ``text`` on one line, with a backslash before each character that may be markup."""
    return re.sub(r"([\\`*_\[\]<>&#~$])", r"\\\1", on_one_line(text))


def _escape_bars(text: str) -> str:
    return text.replace("|", "\\|")
