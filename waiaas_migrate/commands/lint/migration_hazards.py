"""The hazards of migrations that a branch adds."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.commands.findings import Finding, Severity, Subject
from waiaas_migrate.commands.lint.waivers import migration_waivers
from waiaas_migrate.files.git import committed_files
from waiaas_migrate.files.migration_dir.manifest import read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.runner.replay import replay
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.find_hazards import find_hazards
from waiaas_migrate.schema.hazards.hazard import DESTRUCTIVE, STOPPING
from waiaas_migrate.schema.model import Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import copy, execute, memory
from waiaas_migrate.sqlite.reading.cursor import Cursor
from waiaas_migrate.sqlite.reading.grammar import SqlError, significant, tokenize
from waiaas_migrate.sqlite.reading.introspect import introspect

_ALLOWED = "If that is meant, write `-- lint ignore {}: REASON` into the migration."

#: The place and the sentence of each hazard, by its code and the object that it is about.
_Hazards = dict[tuple[str, str], str]


def hazard_findings(project: Project, since: str) -> Iterator[Finding]:
    """Yield the hazards of the migrations that the commit ``since`` doesn't have, but for those waived in them.

    Those of a generated migration are in its comments. Those of one written by hand are what its changes to the schema
    would be asked about.

    Raises:
        UsageError: git doesn't know ``since``.
        MigrationsError: a migration fails in memory, or a waiver in it is wrong.
    """
    migrations, _, manifest = read_recorded(project.migrations, missing_ok=True)
    there = committed_files(project.migrations, since)
    new = [one for one in migrations if one.path.name not in there]
    if not new:
        return
    facts = {} if manifest is None else manifest.facts
    by_hand = _hazards_by_hand(migrations, {one.id for one in new})
    for migration in new:
        waived = migration_waivers(migration, root=project.root)
        recorded = facts.get(migration.id) or derive_facts(migration)
        hazards: _Hazards = {(one.code, one.where): "" for one in recorded.forward.hazards}
        if recorded.by_hand:
            hazards = {**by_hand[migration.id], **hazards}
        for (code, where), what in hazards.items():
            if code not in waived:
                yield _finding(migration, code, where, what, project.root)


def _finding(migration: MigrationFile, code: str, where: str, what: str, root: Path) -> Finding:
    line, announced = _announced(migration.sql, code, where)
    severity = Severity.ERROR if code in DESTRUCTIVE else Severity.WARNING if code in STOPPING else Severity.INFO
    return Finding(
        code=code,
        severity=severity,
        subject=Subject.MIGRATION,
        where=f"{migration.id}, {where}",
        what=announced or what or "the migration announces this hazard.",
        fix=_ALLOWED.format(code) if severity is not Severity.INFO else "",
        file=display_name(migration.path, root),
        line=line,
    )


def _announced(sql: str, code: str, where: str) -> tuple[int | None, str]:
    """Return the line of the comment that announces a hazard, and its text."""
    for number, line in enumerate(sql.splitlines(), 1):
        _, found, text = line.partition(f"hazard {code} {where}:")
        if found and line.lstrip().startswith("--"):
            return number, f"{text.strip()}"
    return None, ""


def _hazards_by_hand(migrations: Collection[MigrationFile], new: Collection[str]) -> dict[str, _Hazards]:
    """Return the hazards of the changes that each of the ``new`` migrations makes to the schema."""
    found: dict[str, _Hazards] = {}
    before = memory()

    def note(migration: MigrationFile, connection: sqlite3.Connection) -> None:
        nonlocal before
        if migration.id in new:
            after = introspect(connection)
            _rename(before, migration, after.by_name())
            old = introspect(before)
            hazards = find_hazards(old, after, diff(old, after))
            found[migration.id] = {(one.code, one.where): one.what for one in hazards}
        before.close()
        before = copy(connection)

    with closing(replay(tuple(migrations), note=note)):
        before.close()
    return found


def _rename(before: sqlite3.Connection, migration: MigrationFile, after: Mapping[str, Table]) -> None:
    """Rename in ``before`` what ``migration`` renames for good, so that it doesn't seem dropped."""
    for statement in migration.statements:
        if _renames_for_good(statement, after):
            with suppress(sqlite3.Error):  # it renames something that the migration has made itself
                execute(before, statement)


def _renames_for_good(statement: str, after: Mapping[str, Table]) -> bool:
    """Return whether ``statement`` renames a table or a column, and ``after`` has the new name and not the old one."""
    try:
        cursor = Cursor(significant(tokenize(statement)))
        if not cursor.accept("ALTER", "TABLE"):
            return False
        table = fold(cursor.name())
        if cursor.accept("RENAME", "TO"):
            return table not in after and fold(cursor.name()) in after
        cursor.expect("RENAME")
        cursor.accept("COLUMN")
        old = fold(cursor.name())
        cursor.expect("TO")
        columns = {fold(column.name) for column in after[table].columns} if table in after else set[str]()
        return old not in columns and fold(cursor.name()) in columns
    except SqlError:
        return False
