"""Refuse PRAGMAs of schema.yaml that SQLite ignores or changes.

SQLite silently ignores most wrong PRAGMAs, so they are set on a temporary database and read back.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from waiaas_migrate.errors import PragmaError, Problem, SchemaFileError, UsageError
from waiaas_migrate.files.problem_report import listed, suggestion
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import locate_problems
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.sqlite.database.connection import connect_file
from waiaas_migrate.sqlite.database.pragmas import LAYOUT, PROCESS_WIDE, WORDS, Pragma, apply_pragmas, read_pragma

#: The largest number of allowed values that a message lists.
_MOST_LISTED = 8


def refuse_faulty_pragmas(project: Project, pragmas: tuple[Pragma, ...]) -> None:
    """Set ``pragmas`` on a temporary database, and refuse PRAGMAs that don't keep their value.

    PRAGMAs that apply to the whole process are not tried.

    Raises:
        SchemaFileError: lists the refused PRAGMAs, each with its place in schema.yaml.
        UsageError: no temporary database can be made.
    """
    tried = [pragma for pragma in pragmas if pragma.name.lower() not in PROCESS_WIDE]
    if not tried:
        return
    try:
        with (
            tempfile.TemporaryDirectory(prefix="waiaas-") as folder,
            closing(connect_file(Path(folder) / "scratch.db")) as connection,
        ):
            problems = list(_problems(connection, tried))
    except OSError as error:
        fix = "Set TMPDIR to a folder that can be written."
        raise UsageError(f"PRAGMAs are tried on a scratch database, which can't be made: {error}. {fix}") from None
    if problems:
        problems = locate_problems(problems, project.schema, root=project.root)
        raise SchemaFileError(sorted(problems, key=lambda problem: problem.line or 0))


def _problems(connection: sqlite3.Connection, pragmas: Sequence[Pragma]) -> Iterator[Problem]:
    connection.execute("PRAGMA synchronous = OFF")  # the file is deleted anyway
    # As on a new database, set the PRAGMAs for the layout of the file first.
    for pragma in sorted(pragmas, key=lambda pragma: pragma.name.lower() not in LAYOUT):
        try:
            apply_pragmas(connection, [pragma])
        except PragmaError as error:
            yield _problem(connection, pragma, error.found)


def _problem(connection: sqlite3.Connection, pragma: Pragma, found: str) -> Problem:
    names = tuple(name for (name,) in connection.execute("PRAGMA pragma_list"))
    word, known = str(pragma.value), WORDS.get(pragma.name.lower(), ())
    what = f"after it was set to {word}, SQLite reports {found}."
    if pragma.name.lower() not in names:
        word, known = pragma.name, names
        what = f"SQLite {sqlite3.sqlite_version} does not know this PRAGMA, and would ignore it."
    elif read_pragma(connection.cursor(), pragma.name) is None:
        word, known = "", ()
        what = "SQLite reports no value for this PRAGMA, so it can't be verified when a database is opened."
    is_short = 0 < len(known) <= _MOST_LISTED
    otherwise = f"Write one of {listed(known)}." if is_short else "Correct or remove it."
    return Problem(file="", path=append_key("pragmas", pragma.name), what=what, fix=suggestion(word, known, otherwise))
