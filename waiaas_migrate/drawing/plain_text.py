"""Text from a schema, made safe for files of any kind."""

from __future__ import annotations

import re

#: What XML forbids (https://www.w3.org/TR/xml/#charsets): most control characters, and halves of a character.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """Return ``text`` with a replacement for each character that XML and HTML forbid."""
    return _FORBIDDEN.sub("\ufffd", text)


def on_one_line(text: str) -> str:
    """Return ``text`` printable, with single blanks between its words."""
    return " ".join(printable(text).split())
