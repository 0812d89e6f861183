"""One run of ``apply`` on a database that is named rather than open."""

from __future__ import annotations

from pathlib import Path

from waiaas_migrate.runner.apply import ApplyResult, Explain, apply_pending
from waiaas_migrate.runner.folder import read_folder
from waiaas_migrate.runner.open import close_database
from waiaas_migrate.sqlite.connection import apply_pragmas, connect_file, plain_errors, shape_file


def apply_to(database: str, migrations: Path, *, verify: bool = True, explain: Explain | None = None) -> ApplyResult:
    """Open ``database``, apply what is pending of the folder ``migrations``, set its PRAGMAs, and close it.

    Raises:
        DatabaseFileError: the file cannot be used.
        MigrationsError: the folder cannot be used.
        DatabaseRefused: the database, or what is in it, refused; it is as it was.
    """
    folder = read_folder(migrations)
    pragmas = folder.manifest.pragmas if folder.manifest is not None else ()
    connection = connect_file(database)
    try:
        with plain_errors(database, doing="applying migrations"):
            shape_file(connection, pragmas)
            result = apply_pending(connection, folder, verify=verify, explain=explain)
            apply_pragmas(connection, pragmas, database)
    finally:
        close_database(connection)
    return result
