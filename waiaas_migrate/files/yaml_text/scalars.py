"""Convert YAML scalars to values as YAML 1.2 does.

The rules are at https://yaml.org/spec/1.2.2/#103-core-schema. PyYAML follows YAML 1.1, in which ``ON``, ``NO`` and
``yes`` are booleans, ``0777`` is 511, ``1:30`` is 90, and ``2020-01-01`` is a date.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_SPECIAL_FLOAT = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")

#: SQLite's integers have 64 bits (https://www.sqlite.org/datatype3.html).
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1
#: Longer than any 64-bit integer in any base, even with some leading zeros.
_LONGEST_INTEGER = 100

_TAG = "tag:yaml.org,2002:"
TEXT_TAG, SEQUENCE_TAG, MAPPING_TAG = _TAG + "str", _TAG + "seq", _TAG + "map"


class ScalarError(ValueError):
    """A scalar can't be used. The message says why, and ``fix`` what to do."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.fix = fix


def resolve(text: str, *, plain: bool, tag: str | None = None) -> Scalar:
    """Return the value of a scalar; ``plain`` says that it has no quotes in the file.

    Raises:
        ScalarError: the scalar is an integer of more than 64 bits, or has a tag other than ``!`` or ``!!str``.
    """
    if tag and tag not in ("!", TEXT_TAG):
        raise tag_error(tag)
    if tag or not plain:
        return text
    if text[:1] not in _NUMBER_STARTS:
        return _WORDS.get(text, text)
    if _INTEGER.match(text):
        return _integer(text)
    if _FLOAT.match(text):
        return float(text)
    return float(text.replace(".", "")) if _SPECIAL_FLOAT.match(text) else text


def tag_error(tag: str) -> ScalarError:
    """Return the error for a tag that isn't accepted, such as ``!!python/object``."""
    short = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
    return ScalarError(f"the tag `{short}` is not allowed.", "Remove it; only plain YAML is read.")


def _integer(text: str) -> int:
    # Python reads `0o17` and `0x1F` in base 0, but not `0777`, which YAML 1.2 takes as decimal.
    base = 0 if text[:2] in ("0o", "0x") else 10
    # Check the length first: for thousands of digits, Python is slow or raises an error.
    value = int(text, base) if len(text) <= _LONGEST_INTEGER else LARGEST_INTEGER + 1
    if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        raise ScalarError("the integer does not fit into SQLite's 64 bits.", "Put it in quotes, or make it smaller.")
    return value
