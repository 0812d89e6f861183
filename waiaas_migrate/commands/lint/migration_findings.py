"""Find hazards and weaknesses in the migrations that a branch adds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import NamedTuple

from waiaas_migrate.authoring.branches import replay_folder
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.commands.findings import Finding, Severity, Subject
from waiaas_migrate.commands.lint.rule import Linted, Rule, findings_of
from waiaas_migrate.commands.lint.waivers import migration_waivers
from waiaas_migrate.files.git import committed_files
from waiaas_migrate.files.migration_dir.manifest import read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.find_hazards import find_hazards
from waiaas_migrate.schema.hazards.hazard import DESTRUCTIVE, STOPPING
from waiaas_migrate.schema.model import Schema, Table
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import copy_database, execute
from waiaas_migrate.sqlite.planning.effects import AnnouncedHazard
from waiaas_migrate.sqlite.reading.grammar import SqlError, Token, tokenize, without_comments
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.rename import rename_in

_ALLOWED = "If that is meant, write `-- lint ignore {}: REASON` into the migration and run `waiaas-migrate record`."


class _Statement(NamedTuple):
    """A statement of a migration: its tokens without comments, and the line at which it begins in an SQL migration."""

    tokens: Sequence[Token]
    line: int | None

    def names(self) -> set[str]:
        """Return the folded names in the statement."""
        return {fold(token.name) for token in self.tokens if token.is_name}


def migration_findings(project: Project, rules: Iterable[Rule], since: str) -> Iterator[Finding]:
    """Yield the hazards of the migrations that the commit ``since`` doesn't have, except those waived in them.

    The comments of a generated migration announce its hazards. For one written by hand, these are the hazards that
    ``generate`` would report for its changes to the schema, and what ``rules`` find in its statements.

    Raises:
        UsageError: git doesn't know ``since``.
        MigrationsError: a migration fails in memory, or a waiver in it is wrong.
    """
    migrations, _, manifest = read_recorded(project.migrations, missing_ok=True)
    if not migrations:
        return
    there = committed_files(project.migrations, since)
    new = {one.id for one in migrations if one.path.name not in there}
    if not new:
        return
    replay_folder(migrations, manifest).close()
    facts = {} if manifest is None else manifest.facts
    with Replay(migrations) as replayed:
        for number, migration in enumerate(migrations):
            if migration.id not in new:
                continue
            recorded = facts.get(migration.id) or derive_facts(migration)
            findings = [_announced(migration.sql, one) for one in recorded.forward.hazards]
            if recorded.by_hand:
                before = copy_database(replayed.run(migrations[:number]).connection)
                with closing(before):
                    after = introspect(replayed.run(migrations[: number + 1]).connection)
                    announced = {(one.code, one.where) for one in findings}
                    found = _by_hand(migration, before, after, rules)
                    findings += [one for one in found if (one.code, one.where) not in announced]
            waived = migration_waivers(migration, root=project.root)
            for one in dict.fromkeys(findings):
                if one.code not in waived and project.lint.selects(one.code):
                    yield _in_migration(one, migration, project)


def _in_migration(one: Finding, migration: MigrationFile, project: Project) -> Finding:
    """Return a finding with the migration's name and file, and the severity that the settings give it."""
    severity = Severity(project.lint.severity_of(one.code, one.severity))
    fix = one.fix or ("" if severity is Severity.INFO else _ALLOWED.format(one.code))
    where, file = f"{migration.id}, {one.where}", display_name(migration.path, project.root)
    return replace(one, severity=severity, where=where, fix=fix, file=file)


def _hazard(code: str, where: str, what: str, line: int | None = None) -> Finding:
    severity = Severity.ERROR if code in DESTRUCTIVE else Severity.WARNING if code in STOPPING else Severity.INFO
    return Finding(code=code, severity=severity, subject=Subject.MIGRATION, where=where, what=what, line=line)


def _announced(sql: str, hazard: AnnouncedHazard) -> Finding:
    """Return a hazard with the text and the line of the comment that announces it."""
    for number, line in enumerate(sql.splitlines(), 1):
        _, found, text = line.partition(f"hazard {hazard}:")
        if found:
            return _hazard(hazard.code, hazard.where, text.strip(), number)
    return _hazard(hazard.code, hazard.where, "the migration announces this hazard.")


def _by_hand(
    migration: MigrationFile, before: sqlite3.Connection, after: Schema, rules: Iterable[Rule]
) -> Iterator[Finding]:
    """Yield the hazards of the changes that ``migration`` makes to the schema, and what ``rules`` find in it."""
    statements = tuple(_statements(migration))
    names = _names(introspect(before)) | _names(after)
    # The migration may drop what it creates, such as a temporary table.
    names |= {name for one in statements if one.tokens[0].word in ("CREATE", "ALTER") for name in one.names()}
    _rename(before, migration, after.by_name())
    old = introspect(before)
    for hazard in find_hazards(old, after, diff(old, after)):
        table = fold(hazard.where.partition(".")[0])
        line = next((one.line for one in statements if table in one.names()), None)
        yield _hazard(hazard.code, hazard.where, hazard.what, line)
    for tokens, line in statements:
        with suppress(SqlError):
            for finding, _ in findings_of(Linted(statement=tokens, names=names), rules):
                yield replace(finding, subject=Subject.MIGRATION, line=line)


def _statements(migration: MigrationFile) -> Iterator[_Statement]:
    """Yield the statements of ``migration`` that can be read."""
    for statement in migration.statements:
        with suppress(SqlError):
            if tokens := without_comments(tokenize(statement)):
                at = migration.sql.find(statement)
                line = None if at < 0 else migration.sql.count("\n", 0, at + tokens[0].start) + 1
                yield _Statement(tokens, line)


def _names(schema: Schema) -> set[str]:
    """Return the folded names of everything in ``schema`` that a statement can refer to."""
    columns = (column.name for table in schema.tables for column in table.columns)
    return {"excluded", "main", "temp", *map(fold, (*schema.names, *columns))}


def _rename(before: sqlite3.Connection, migration: MigrationFile, after: Mapping[str, Table]) -> None:
    """Rename in ``before`` what ``migration`` renames, so that it doesn't seem dropped."""
    for statement in migration.statements:
        if _is_lasting_rename(statement, after):
            with suppress(sqlite3.Error):  # the migration renames something that it made itself
                execute(before, statement)


def _is_lasting_rename(statement: str, after: Mapping[str, Table]) -> bool:
    """Return whether ``statement`` renames a table or a column, and ``after`` has the new name and not the old one."""
    if (one := rename_in(statement)) is None:
        return False
    if not one.column:
        return one.table not in after and one.new in after
    table = after.get(one.table)
    return table is not None and table.column(one.column) is None and table.column(one.new) is not None
