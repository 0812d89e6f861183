"""Find hazards and weaknesses in the migrations that a branch adds, for ``lint --since``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import NamedTuple

from waiaas_migrate.authoring.migration_conflicts import replay_folder
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.commands.findings import Finding, Severity, Subject
from waiaas_migrate.commands.lint.rule import Linted, Rule, run_rules
from waiaas_migrate.commands.lint.waivers import migration_waivers
from waiaas_migrate.commands.migration_renames import follow_renames, with_rename_hints
from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.git import committed_files
from waiaas_migrate.files.migration_dir.manifest import read_recorded
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.runner.replay import Replay
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.hazards.find_hazards import find_hazards
from waiaas_migrate.schema.hazards.hazard import DESTRUCTIVE, STOPPING
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.database.memory import copy_database
from waiaas_migrate.sqlite.planning.effects import AnnouncedHazard
from waiaas_migrate.sqlite.reading.grammar import SqlError, Token, tokenize, without_comments
from waiaas_migrate.sqlite.reading.introspect import introspect

_WAIVE = "If this is intended, write `-- lint ignore {}: REASON` in the migration and run `waiaas-migrate record`."


class _Statement(NamedTuple):
    """A statement: its tokens without comments, and the number of its first line; None in a Python migration."""

    tokens: Sequence[Token]
    line: int | None

    def names(self) -> set[str]:
        """Return the names that the statement contains, in lower case."""
        return {fold(token.name) for token in self.tokens if token.is_name}


def migration_findings(project: Project, rules: Iterable[Rule], since: str) -> Iterator[Finding]:
    """Yield the findings in the migrations that the commit ``since`` doesn't have, except waived ones.

    A generated migration has the hazards that its comments announce. A hand-written migration also has the hazards that
    ``generate`` would report for its changes to the schema, and the findings of ``rules`` in its statements.

    Raises:
        UsageError: git doesn't know ``since``.
        MigrationsError: a migration fails in memory, or has a waiver with an unknown code or without a reason.
    """
    migrations, _, manifest = read_recorded(project.migrations, missing_ok=True)
    if not migrations:
        return
    committed = committed_files(project.migrations, since)
    new = {migration.id for migration in migrations if migration.path.name not in committed}
    if not new:
        return
    replay_folder(migrations, manifest).close()
    facts = {} if manifest is None else manifest.facts
    with Replay(migrations) as replayed:
        for number, migration in enumerate(migrations):
            if migration.id not in new:
                continue
            recorded = facts.get(migration.id) or derive_facts(migration)
            findings = [_announced_finding(migration.sql, hazard) for hazard in recorded.forward.hazards]
            if recorded.by_hand:
                before = copy_database(replayed.run(migrations[:number]).connection)
                with closing(before):
                    after = introspect(replayed.run(migrations[: number + 1]).connection)
                    announced = {(finding.code, finding.where) for finding in findings}
                    found = _hand_written_findings(migration, before, after, rules, project)
                    findings += [finding for finding in found if (finding.code, finding.where) not in announced]
            waived = migration_waivers(migration, root=project.root)
            for finding in dict.fromkeys(findings):
                if finding.code not in waived and project.lint.selects(finding.code):
                    yield _complete(finding, migration, project)


def _complete(finding: Finding, migration: MigrationFile, project: Project) -> Finding:
    """Return ``finding`` with the migration's name and file, a fix, and the severity that the settings give it."""
    severity = Severity(project.lint.severity_of(finding.code, finding.severity))
    fix = finding.fix or ("" if severity is Severity.INFO else _WAIVE.format(finding.code))
    where, file = f"{migration.id}, {finding.where}", display_name(migration.path, project.root)
    return replace(finding, severity=severity, where=where, fix=fix, file=file)


def _hazard_finding(code: str, where: str, what: str, line: int | None = None) -> Finding:
    severity = Severity.ERROR if code in DESTRUCTIVE else Severity.WARNING if code in STOPPING else Severity.INFO
    return Finding(code=code, severity=severity, subject=Subject.MIGRATION, where=where, what=what, line=line)


def _announced_finding(sql: str, hazard: AnnouncedHazard) -> Finding:
    """Return a finding with the text and the line of the comment in ``sql`` that announces ``hazard``."""
    for number, line in enumerate(sql.splitlines(), 1):
        _, announcement, text = line.partition(f"hazard {hazard}:")
        if announcement:
            return _hazard_finding(hazard.code, hazard.where, text.strip(), number)
    return _hazard_finding(hazard.code, hazard.where, "the migration announces this hazard.")


def _hand_written_findings(
    migration: MigrationFile, before: sqlite3.Connection, after: Schema, rules: Iterable[Rule], project: Project
) -> Iterator[Finding]:
    """Yield the hazards of the changes that ``migration`` makes, and the findings of ``rules`` in its statements."""
    statements = tuple(_statements(migration))
    old = introspect(before)
    names = _names(old) | _names(after)
    # Statements may refer to objects that exist only during the migration, such as a temporary table.
    definitions = (statement for statement in statements if statement.tokens[0].word in ("CREATE", "ALTER"))
    names |= {name for definition in definitions for name in definition.names()}
    renamed = old
    # SQLite may refuse a rename before another statement of the migration has dropped an index or a view.
    with suppress(UnsupportedError, sqlite3.Error):
        _, renamed = follow_renames(project, before, old, with_rename_hints(old, after, migration.statements))
    for hazard in find_hazards(renamed, after, diff(renamed, after)):
        table = fold(hazard.where.partition(".")[0])
        line = next((statement.line for statement in statements if table in statement.names()), None)
        yield _hazard_finding(hazard.code, hazard.where, hazard.what, line)
    for tokens, line in statements:
        with suppress(SqlError):
            for finding, _ in run_rules(rules, Linted(statement=tokens, names=names)):
                yield replace(finding, subject=Subject.MIGRATION, line=line)


def _statements(migration: MigrationFile) -> Iterator[_Statement]:
    for statement in migration.statements:
        with suppress(SqlError):
            if tokens := without_comments(tokenize(statement)):
                start = migration.sql.find(statement)
                line = None if start < 0 else migration.sql.count("\n", 0, start + tokens[0].start) + 1
                yield _Statement(tokens, line)


def _names(schema: Schema) -> set[str]:
    """Return the names, in lower case, of everything in ``schema`` that a statement can refer to."""
    columns = (column.name for table in schema.tables for column in table.columns)
    return {"excluded", "main", "temp", *map(fold, (*schema.names, *columns))}
