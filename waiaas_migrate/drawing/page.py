"""Join the files in ``page/`` into the interactive page, which loads no other file."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from string import Template

from waiaas_migrate.drawing import sizes
from waiaas_migrate.drawing.history import History
from waiaas_migrate.drawing.page_data import as_json, page_data
from waiaas_migrate.drawing.plain_text import printable

_FOLDER = Path(__file__).with_name("page")
#: The files that make up the script, in their order.
_SCRIPTS = ("board", "view", "details", "search", "history", "keyboard")


def page(history: History, *, title: str) -> str:
    """Return a page that shows ``history``.

    The page's Content-Security-Policy forbids all requests, and all scripts except the page's own.

    Raises:
        UsageError: igraph is not installed.
    """
    style = _size_properties() + _file("page.css")
    script = "\n".join(['"use strict";', *(_file(f"{name}.js") for name in _SCRIPTS)])
    return Template(_file("page.html")).substitute(
        title=escape(printable(title)),
        style=style,
        script=script,
        data=as_json(page_data(history, title=printable(title))),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _size_properties() -> str:
    """Return CSS that defines the sizes for which the layout was computed."""
    names = ("HEAD", "ROW", "LINE", "PADDING", "MARKS")
    properties = "; ".join(f"--{name.lower()}: {getattr(sizes, name)}px" for name in names)
    return f":root {{ {properties} }}\n"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
