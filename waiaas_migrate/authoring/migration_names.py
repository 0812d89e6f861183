"""Choose the id of a new migration, and the ids that it depends on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from waiaas_migrate.errors import MigrationsError, Problem, UsageError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.schema.changes import Change
from waiaas_migrate.schema.describe import describe

_LONGEST_SLUG = 60
#: The most digits of a migration's number. More digits are a date, which has eight, or a date and time.
_LONGEST_NUMBER = 6


def next_id(existing: Iterable[str], name: str | None, changes: Sequence[Change]) -> str:
    """Return ``NNNN_slug``: the next number, and ``name`` as a slug. Without a name, use ``initial`` or the changes.

    Raises:
        UsageError: ``name`` has no character that can be used in a file name.
    """
    ids = tuple(existing)
    derived = _slug_of_changes(changes) if ids else "initial"
    slug = derived if name is None else slugify(name, "--name")
    return f"{_next_number(ids):04d}_{slug}"


def _next_number(ids: Iterable[str]) -> int:
    """Return the next number. Ids that begin with a date are ignored, unless all ids begin with a date."""
    numbers = [found[0] for found in (re.match(r"\d+", migration) for migration in ids) if found]
    short = [number for number in numbers if len(number) <= _LONGEST_NUMBER]
    return max(map(int, short or numbers), default=0) + 1


def slugify(name: str, option: str) -> str:
    """Return ``name`` as up to 60 lower-case ASCII letters, digits and underscores; errors mention ``option``.

    Raises:
        UsageError: ``name`` has no character that can be used in a file name.
    """
    if slug := _slug(name):
        return slug
    raise UsageError(f"{option} {name!r}: has no character that can be used in a file name. Use letters or digits.")


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:_LONGEST_SLUG].strip("_")


def slug_of(migration_id: str) -> str:
    """Return a migration's id without its number; the whole id if it has no number."""
    number, _, slug = migration_id.partition("_")
    return slug if number.isdigit() and slug else migration_id


def _slug_of_changes(changes: Sequence[Change]) -> str:
    """Return a slug that describes the first change, and says ``and_more`` if there are several."""
    first = _slug(describe(changes[0]).partition(":")[0].partition("(")[0]) if changes else ""
    return (first or "change") + ("_and_more" if len(changes) > 1 else "")


def heads(migrations: Sequence[MigrationFile]) -> tuple[str, ...]:
    """Return the ids that no other migration depends on. A new migration must depend on all of these.

    Ids that contain whitespace are left out, because a ``depends`` line separates ids by whitespace.
    """
    depended_on = {name for migration in migrations for name in migration.depends}
    return tuple(m.id for m in migrations if m.id not in depended_on and not _has_whitespace(m.id))


def refuse_whitespace(migrations: Sequence[MigrationFile], new: str) -> None:
    """Refuse migrations that sort after ``new`` and have whitespace in their ids, because ``new`` can't depend on them.

    Raises:
        MigrationsError: names each such migration.
    """
    if later := [m for m in migrations if m.id > new and _has_whitespace(m.id)]:
        what = f"sorts after {new} and has whitespace in its name, so the new migration cannot depend on it."
        fix = "If no database has run it, rename it, as in 0002_name.sql."
        raise MigrationsError([Problem(file=str(m.path), what=what, fix=fix) for m in later])


def _has_whitespace(migration_id: str) -> bool:
    return migration_id.split() != [migration_id]
