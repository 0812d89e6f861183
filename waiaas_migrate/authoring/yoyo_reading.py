"""Check that plain yoyo reads the same statements in a migration's file as SQLite.

yoyo splits a file with sqlparse, which takes some words for the start of a block and misses unclosed comments.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from waiaas_migrate.errors import MigrationsError, Problem
from waiaas_migrate.files.migration_dir.manifest import Manifest
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.migration_dir.statements import code_of, first_line, split_statements
from waiaas_migrate.sqlite.reading.grammar import SqlError, tokenize, without_comments


def refuse_misread(migrations: Iterable[MigrationFile], recorded: Manifest | None) -> None:
    """Refuse unrecorded migrations in which yoyo reads other statements than SQLite.

    Raises:
        MigrationsError: names each file and line.
    """
    listed = () if recorded is None else recorded.ids
    problems = []
    for migration in migrations:
        if migration.kind == "sql" and migration.id not in listed:
            for name, content in reversed(migration.files.items()):
                if (misread := first_misread(content)) is not None:
                    problems.append(_problem(migration.path.with_name(name), content, misread))
    if problems:
        raise MigrationsError(problems)


def first_misread(content: str) -> str | None:
    """Return the first statement that yoyo and SQLite read differently; None if they agree."""
    from yoyo.migrations import read_sql_migration

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "migration.sql")
        path.write_text(content, encoding="utf-8", newline="\n")
        _, _, statements = read_sql_migration(str(path))
    read_by_yoyo = [statement for statement in statements if _tokens(statement)]
    for statement, yoyo_statement in zip_longest(split_statements(content), read_by_yoyo, fillvalue=""):
        if _tokens(statement) != _tokens(yoyo_statement):
            return statement or yoyo_statement
    return None


def _tokens(statement: str) -> Sequence[str]:
    """Return the tokens of a statement, without comments and its last semicolon; the whole text if it is invalid."""
    try:
        tokens = [token.text for token in without_comments(tokenize(statement))]
    except SqlError:
        return [statement]
    return tokens[:-1] if tokens[-1:] == [";"] else tokens


def _problem(path: Path, content: str, statement: str) -> Problem:
    line = content.count("\n", 0, max(content.find(code_of(statement)), 0)) + 1
    what = f"plain yoyo reads this statement differently than SQLite: {first_line(statement)}"
    fix = 'Close every comment, and put names that are keywords in double quotes, such as "begin".'
    return Problem(file=str(path), line=line, what=what, fix=fix)
