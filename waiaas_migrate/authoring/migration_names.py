"""The name of a new migration."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from waiaas_migrate.errors import UsageError
from waiaas_migrate.schema.changes import Change
from waiaas_migrate.schema.describe import describe

_LONGEST_SLUG = 60


def next_id(existing: Iterable[str], name: str | None, changes: Sequence[Change]) -> str:
    """Return ``NNNN_slug``: the next number, and ``name`` or a description of the changes as a slug.

    Raises:
        UsageError: ``name`` has no character that can be used in a file name.
    """
    ids = tuple(existing)
    numbers = [int(found[0]) for found in (re.match(r"\d{1,9}", migration) for migration in ids) if found]
    if name is not None:
        slug = slugify(name)
        if not slug:
            raise UsageError(
                f"--name {name!r}: has no character that can be used in a file name. Use letters or digits."
            )
    else:
        slug = _said(changes) if ids else "initial"
    return f"{max(numbers, default=0) + 1:04d}_{slug}"


def slugify(text: str) -> str:
    """Return ``text`` in lower-case ASCII letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:_LONGEST_SLUG].strip("_")


def _said(changes: Sequence[Change]) -> str:
    """Return a slug of the first change, and whether there are more."""
    first = slugify(describe(changes[0]).partition(":")[0].partition("(")[0]) if changes else ""
    return (first or "change") + ("_and_more" if len(changes) > 1 else "")
