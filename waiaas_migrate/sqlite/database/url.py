"""Parse the name of a database: a path, ``:memory:``, a ``file:`` URI or a URL.

A :class:`~pathlib.Path` always names a file, even if it looks like a URL.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from waiaas_migrate.errors import DatabaseFileError, UsageError

StrPath = str | os.PathLike[str]

MEMORY = ":memory:"
_URL_FORMS = "Write sqlite:///relative/path.db or sqlite:////absolute/path.db."
_OTHER_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database to open.

    Args:
        name: the name of the database in messages.
        file: the path of the database; None for a database in memory.
        uri: the ``file:`` URI, if the user gave one.
        existed_before: whether the file was found earlier. If it is missing now, it must not be created again.
    """

    name: str
    file: str | None
    uri: str | None = None
    existed_before: bool = False

    @property
    def path(self) -> Path | None:
        """The file as a path; None for a database in memory."""
        return None if self.file is None else Path(self.file)

    @property
    def needs_file(self) -> bool:
        """Whether SQLite opens the URI only if the file exists."""
        parameters = parse_qs(urlsplit(self.uri or "").query)
        is_immutable = any(value != "0" for value in parameters.get("immutable", []))
        return is_immutable or not {"ro", "rw"}.isdisjoint(parameters.get("mode", []))

    @property
    def query(self) -> str:
        """The URI's parameters except ``mode``, each followed by ``&``."""
        parameters = urlsplit(self.uri or "").query.split("&")
        return "".join(f"{text}&" for text in parameters if text and unquote(text.partition("=")[0]) != "mode")


def database_path(text: StrPath) -> Database:
    """Parse a path, ``:memory:``, a ``file:`` URI, or a ``sqlite:`` URL.

    For URIs, see https://www.sqlite.org/uri.html. As in yoyo and SQLAlchemy, a URL has three slashes before a relative
    path, and four before an absolute path. Percent escapes are decoded in URIs and URLs, but not in plain paths.

    Raises:
        UsageError: the text does not name a database.
        DatabaseFileError: the text ends in a slash, as the name of a folder does.
    """
    name = os.fsdecode(text)
    if not name or "\0" in name:
        raise UsageError(f"{name!r} does not name a database. Give a path, :memory: or a sqlite:/// URL.")
    if not isinstance(text, str):
        return Database(name=name, file=name)
    if name == MEMORY:
        return Database(name=MEMORY, file=None)
    if name.startswith("file:"):
        return _from_uri(name)
    if name.startswith("sqlite:"):
        return _from_url(name)
    if "://" in name and _OTHER_URL.match(name) and not Path(name).parent.exists():
        raise UsageError(f"{name} is not a database URL. {_URL_FORMS}")
    return Database(name=name, file=_file_path(name, name))


def database_text(path: StrPath) -> str:
    """Return ``path`` as text that :func:`database_path` reads as the same database.

    A :class:`~pathlib.Path` that looks like a URL gets ``./`` before it.
    """
    name = os.fsdecode(path)
    is_ambiguous = not isinstance(path, str) and (name == MEMORY or name.startswith(("file:", "sqlite:")))
    return os.path.join(os.curdir, name) if is_ambiguous else name  # noqa: PTH118 — Path would drop the dot


def _file_path(text: str, name: str) -> str:
    """Return ``text``; raise an error if it can't name a file. A Path would drop a trailing slash."""
    if "\0" in text:
        raise UsageError(f"{name} contains a character that no file name can have. Correct it.")
    if text[-1:] == os.sep:
        raise DatabaseFileError(f"{name}: is a folder. Give the path of a database file.")
    return text


def _from_uri(uri: str) -> Database:
    parts = urlsplit(uri)
    modes = parse_qs(parts.query).get("mode", [])
    path = unquote(parts.path)
    if path in ("", MEMORY) or "memory" in modes:
        return Database(name=uri, file=None, uri=uri)
    return Database(name=uri, file=_file_path(path, uri), uri=uri)


def _from_url(url: str) -> Database:
    parts = urlsplit(url)
    if parts.netloc or not url.startswith("sqlite://"):
        raise UsageError(f"{url} is not a database URL. {_URL_FORMS}")
    if parts.query or parts.fragment:
        raise UsageError(f"{url} has a ? or # outside its path. Write them as %3F and %23, or give the plain path.")
    path = unquote(parts.path.removeprefix("/"))
    if path in ("", MEMORY):
        return Database(name=MEMORY, file=None)
    return Database(name=path, file=_file_path(path, url))
