"""Check that yoyo's own reader finds the statements in a migration's file that SQLite sees.

yoyo splits a file with sqlparse, which reads some words as the start of a block, and no unterminated comments.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.manifest import Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.statements import code_of, split_statements
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize, without_comments


def refuse_misread(migrations: Iterable[MigrationFile], recorded: Manifest | None) -> None:
    """Refuse new migrations in which yoyo reads other statements than SQLite.

    Raises:
        MigrationsError: names each file and line.
    """
    known = () if recorded is None else recorded.ids
    problems = []
    for migration in migrations:
        if migration.kind == "sql" and migration.id not in known:
            rollback = migration.path.with_name(f"{migration.id}.rollback.sql")
            for path, content in ((migration.path, migration.sql), (rollback, migration.rollback or "")):
                if (misread := first_misread(content)) is not None:
                    problems.append(_problem(path, content, misread))
    if problems:
        raise MigrationsError(problems)


def first_misread(content: str) -> str | None:
    """Return the first statement that yoyo reads differently than SQLite, or reads where SQLite sees none."""
    from yoyo.migrations import read_sql_migration

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "migration.sql")
        path.write_text(content, encoding="utf-8", newline="\n")
        _, _, read = read_sql_migration(str(path))
    theirs = [statement for statement in read if _words(statement)]
    for statement, other in zip_longest(split_statements(content), theirs, fillvalue=""):
        if _words(statement) != _words(other):
            return statement or other
    return None


def _words(statement: str) -> Sequence[str]:
    """Return the tokens of a statement, without comments and the semicolon at its end."""
    try:
        words = [token.text for token in without_comments(tokenize(statement))]
    except SqlError:
        return [statement]
    return words[:-1] if words[-1:] == [";"] else words


def _problem(path: Path, content: str, statement: str) -> Problem:
    code = code_of(statement)
    line = content.count("\n", 0, max(content.find(code), 0)) + 1
    what = f"plain yoyo reads this statement differently than SQLite: {code.partition(chr(10))[0].strip()}"
    fix = 'Close every comment, and put names that are keywords in double quotes, such as "begin".'
    return Problem(file=str(path), line=line, what=what, fix=fix)
