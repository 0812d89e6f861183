"""Make text from a schema safe for files of any format."""

from __future__ import annotations

import re

#: What XML forbids or discourages (https://www.w3.org/TR/xml/#charsets): controls, surrogates and noncharacters.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """Return ``text`` with U+FFFD instead of each character that XML or HTML forbids."""
    return _FORBIDDEN.sub("\ufffd", text)


def on_one_line(text: str) -> str:
    """Return printable ``text``, with single spaces between its words."""
    return " ".join(printable(text).split())
