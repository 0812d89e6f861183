"""Split the text of a migration into statements, at the same places as SQLite."""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterator

from waiaas_migrate.errors import MigrationsError, Problem

#: A coarse tokenizer that finds each ``;`` outside strings, quoted names and comments. An unclosed string or comment
#: runs to the end of the text, as in https://www.sqlite.org/src/file/src/complete.c.
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<quoted>  '[^']*(?:'|\Z) | "[^"]*(?:"|\Z) | `[^`]*(?:`|\Z) | \[[^]]*(?:]|\Z) )
    | (?P<end>     ; )
    | (?P<code>    [^ \t\n\f\r;'"`\[/-] [^;'"`\[/-]* | [/-] )
    """,
    re.DOTALL | re.VERBOSE,
)


@functools.lru_cache(maxsize=4096)
def split_statements(sql: str, *, file: str = "SQL") -> tuple[str, ...]:
    """Return the statements of ``sql``, each with the comments before it. Errors name ``file``.

    ``sqlite3_complete`` decides which ``;`` ends a statement (https://www.sqlite.org/c3ref/complete.html), so a trigger
    is one statement. The last statement needs no ``;``. Comments without a statement are left out.

    Raises:
        MigrationsError: the text ends in the middle of a statement, or contains a NUL character.
    """
    if "\0" in sql:
        what = "contains a NUL character, at which SQLite stops reading."
        raise MigrationsError([_problem(file, sql, sql.index("\0"), what)])
    statements: list[str] = []
    for start, code_start, end in _spans(sql):
        if end == len(sql) and not sqlite3.complete_statement(sql[start:] + "\n;"):
            raise MigrationsError([_problem(file, sql, code_start, "the statement that begins here does not end.")])
        statements.append(sql[start:end].strip())
    return tuple(statements)


def _spans(sql: str) -> Iterator[tuple[int, int, int]]:
    """Yield the start, the start of the code, and the end of each statement. The last statement may be incomplete."""
    start, code_start, previous, in_trigger = 0, -1, "", False
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "end":
            if code_start >= 0:
                # Only a trigger continues after a ";", up to "; END;". Calling sqlite3_complete at each ";" in a
                # trigger would take time quadratic in its length.
                may_end = not in_trigger or previous.rstrip().upper().endswith("END")
                in_trigger = not (may_end and sqlite3.complete_statement(sql[start : token.end()]))
                if in_trigger:
                    continue
                yield start, code_start, token.end()
            start, code_start = token.end(), -1
        elif token.lastgroup != "comment":
            code_start = token.start() if code_start < 0 else code_start
            previous = token.group()
    if code_start >= 0:
        yield start, code_start, len(sql)


def _problem(file: str, sql: str, at: int, what: str) -> Problem:
    line = sql.count("\n", 0, at) + 1
    fix = "Close its strings, comments and BEGIN … END, and end it with a semicolon."
    return Problem(file=file, line=line, what=what, fix=fix)


def code_of(statement: str) -> str:
    """Return ``statement`` without the comments before it."""
    for token in _TOKEN.finditer(statement):
        if token.lastgroup != "comment":
            return statement[token.start() :]
    return ""


def first_line(statement: str) -> str:
    """Return the first line of a statement's code, without the comments before it."""
    return code_of(statement).partition("\n")[0].strip()
