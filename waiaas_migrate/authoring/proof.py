"""The proof of a migration before it is written: what it does in memory is what was asked for, and can be undone."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waiaas_migrate.authoring.row_proof import lost_rows
from waiaas_migrate.errors import MigrationsError, Problem, ProofError
from waiaas_migrate.files.migration_dir.statements import first_line, split_statements
from waiaas_migrate.runner.refusal import refusal
from waiaas_migrate.schema.describe import describe
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.sqlite.database.catalog import fingerprint, read_catalog
from waiaas_migrate.sqlite.database.memory import empty, execute
from waiaas_migrate.sqlite.planning.transition import Transition
from waiaas_migrate.sqlite.quoting import quote_name
from waiaas_migrate.sqlite.reading.grammar import SqlError, significant, tokenize
from waiaas_migrate.sqlite.reading.introspect import introspect


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationText:
    """The two files of a new migration."""

    id: str
    forward: str
    backward: str


def prove(before: sqlite3.Connection, transition: Transition, text: MigrationText) -> str:
    """Show that ``text`` makes ``transition`` and takes it back, that rows live through it, and that yoyo can read it.

    Args:
        before: the migrations so far, replayed in memory; the migration has run on it afterwards, and was taken back.
        transition: what the migration is for.
        text: the migration.

    Returns:
        The fingerprint of the catalog that it leads to.

    Raises:
        ProofError: the tool's own fault, with what to report.
        MigrationsError: rows that the migrations so far insert themselves stand against it.
    """
    lost = lost_rows(before, transition, text.forward, text.backward)
    if lost:
        raise _fault(f"{text.id}: " + "\n".join(lost), text.forward)
    known = transition.known
    run_file(before, text.forward, f"{text.id}.sql")
    _expect(introspect(before, known), transition.new, f"{text.id}.sql does not give the declared schema")
    head = fingerprint(read_catalog(before))
    try:
        run_file(before, text.backward, f"{text.id}.rollback.sql")
    except MigrationsError:
        # Rows may stand against going back, as the file says; what it does to the schema is to be seen all the same.
        empty(before, (table.name for table in transition.new.tables))
        run_file(before, text.backward, f"{text.id}.rollback.sql")
    found, what = introspect(before, known), f"{text.id}.rollback.sql does not give back the schema before it"
    _expect(found, transition.start, what, column_order=True)
    prove_reading(text)
    return head


def run_file(connection: sqlite3.Connection, text: str, file: str) -> None:
    """Run a migration's text as yoyo would, in one transaction.

    Raises:
        MigrationsError: rows that the migrations before it insert stand against it.
        ProofError: where SQLite refuses a statement for any other reason.
    """
    connection.execute("BEGIN")
    for statement in split_statements(text, file=file):
        try:
            execute(connection, statement)
        except sqlite3.Error as error:
            said = str(refusal(connection, statement, error) or error)
            connection.execute("ROLLBACK")
            connection.execute("PRAGMA writable_schema = RESET")
            connection.execute("PRAGMA ignore_check_constraints = OFF")
            if isinstance(error, sqlite3.IntegrityError) and _has_rows(connection):
                raise _in_the_way(file, said) from None
            raise _fault(f"{file}: SQLite says {error} at: {first_line(statement)}", text) from None
    connection.execute("COMMIT")


def _in_the_way(file: str, said: str) -> MigrationsError:
    what = f"nothing was written: rows that the migrations before it insert stand against it: {said}."
    fix = "Change these rows in a migration of your own first, or say what they get with `backfill` or `enum_values`."
    return MigrationsError([Problem(file=file, what=what, fix=fix)])


def _has_rows(connection: sqlite3.Connection) -> bool:
    names = [row.name for row in read_catalog(connection) if row.kind == "table"]
    return any(connection.execute(f"SELECT 1 FROM {quote_name(name)} LIMIT 1").fetchone() for name in names)


def _expect(found: Schema, wanted: Schema, what: str, *, column_order: bool = False) -> None:
    left = diff(found, wanted, column_order=column_order)
    if left:
        listed = "\n".join(f"  {describe(change)}" for change in left)
        raise _fault(f"{what}; still to do would be:\n{listed}", "")


def prove_reading(text: MigrationText) -> None:
    """Show that yoyo's own reader finds the statements that SQLite sees.

    Raises:
        ProofError: where the two differ.
    """
    from yoyo.migrations import read_sql_migration

    with tempfile.TemporaryDirectory() as folder:
        for content in (text.forward, text.backward):
            path = Path(folder, "migration.sql")
            path.write_text(content, encoding="utf-8", newline="\n")
            _, _, read = read_sql_migration(str(path))
            seen = split_statements(content)
            if [_words(statement) for statement in read] != [_words(statement) for statement in seen]:
                raise _fault(f"{text.id}: yoyo would not read its statements as SQLite does", content)


def _words(statement: str) -> Sequence[str]:
    try:
        words = [token.text for token in significant(tokenize(statement))]
    except SqlError:
        return [statement]
    return words[:-1] if words[-1:] == [";"] else words


def _fault(what: str, text: str) -> ProofError:
    return ProofError(
        f"The migration failed its proof in memory, so nothing was written. This is a fault of waiaas-migrate, not of "
        f"your schema. Please report it with your schema.yaml and this:\n{what}\n{text}".rstrip()
    )
