"""What is dangerous or weak in the migrations that a branch adds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from waiaas_migrate.authoring.branches import replay_folder
from waiaas_migrate.authoring.migration_facts import derive_facts
from waiaas_migrate.commands.findings import Finding, Severity, Subject
from waiaas_migrate.commands.lint.rule import Rule
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
from waiaas_migrate.sqlite.database.memory import copy, execute
from waiaas_migrate.sqlite.planning.effects import AnnouncedHazard
from waiaas_migrate.sqlite.reading.grammar import SqlError, Token, significant, tokenize
from waiaas_migrate.sqlite.reading.introspect import introspect
from waiaas_migrate.sqlite.reading.rename import rename_in

_ALLOWED = "If that is meant, write `-- lint ignore {}: REASON` into the migration and run `waiaas-migrate record`."


class _Weakness(NamedTuple):
    """A hazard, or what a rule found in a statement."""

    code: str
    severity: Severity
    where: str
    what: str
    fix: str = ""
    line: int | None = None


def migration_findings(project: Project, rules: Iterable[Rule], since: str) -> Iterator[Finding]:
    """Yield the hazards of the migrations that the commit ``since`` doesn't have, but for those waived in them.

    Those of a generated migration are in its comments. Those of one written by hand are what its changes to the schema
    would be asked about, and what ``rules`` find in its statements.

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
            weaknesses = [_announced(migration.sql, one) for one in recorded.forward.hazards]
            if recorded.by_hand:
                before = copy(replayed.run(migrations[:number]).connection)
                with closing(before):
                    after = introspect(replayed.run(migrations[: number + 1]).connection)
                    announced = {(one.code, one.where) for one in weaknesses}
                    found = _by_hand(migration, before, after, rules)
                    weaknesses += [one for one in found if (one.code, one.where) not in announced]
            waived = migration_waivers(migration, root=project.root)
            for one in dict.fromkeys(weaknesses):
                if one.code not in waived:
                    yield _finding(migration, one, project.root)


def _finding(migration: MigrationFile, one: _Weakness, root: Path) -> Finding:
    fix = _ALLOWED.format(one.code) if one.severity is not Severity.INFO else ""
    return Finding(
        code=one.code,
        severity=one.severity,
        subject=Subject.MIGRATION,
        where=f"{migration.id}, {one.where}",
        what=one.what,
        fix=one.fix or fix,
        file=display_name(migration.path, root),
        line=one.line,
    )


def _severity(code: str) -> Severity:
    return Severity.ERROR if code in DESTRUCTIVE else Severity.WARNING if code in STOPPING else Severity.INFO


def _announced(sql: str, hazard: AnnouncedHazard) -> _Weakness:
    """Return a hazard with the text and the line of the comment that announces it."""
    for number, line in enumerate(sql.splitlines(), 1):
        _, found, text = line.partition(f"hazard {hazard}:")
        if found:
            return _Weakness(hazard.code, _severity(hazard.code), hazard.where, text.strip(), line=number)
    what = "the migration announces this hazard."
    return _Weakness(hazard.code, _severity(hazard.code), hazard.where, what)


def _by_hand(
    migration: MigrationFile, before: sqlite3.Connection, after: Schema, rules: Iterable[Rule]
) -> Iterator[_Weakness]:
    """Yield the hazards of the changes that ``migration`` makes to the schema, and what ``rules`` find in it."""
    names = _names(introspect(before)) | _names(after) | _names_in(migration)
    _rename(before, migration, after.by_name())
    old = introspect(before)
    for hazard in find_hazards(old, after, diff(old, after)):
        line = _first_line(migration, hazard.where.partition(".")[0])
        yield _Weakness(hazard.code, _severity(hazard.code), hazard.where, hazard.what, line=line)
    for statement in migration.statements:
        with suppress(SqlError):
            tokens = significant(tokenize(statement))
            line = _line(migration.sql, statement, tokens)
            for rule in rules:
                for found in rule.find_in_statement(tokens, names):
                    yield _Weakness(rule.code, rule.severity, found.where, found.what, found.fix, line)


def _names(schema: Schema) -> set[str]:
    """Return the folded names of everything in ``schema`` that a statement can refer to."""
    columns = (column.name for table in schema.tables for column in table.columns)
    return {"excluded", "main", "temp", *map(fold, (*schema.names, *columns))}


def _names_in(migration: MigrationFile) -> set[str]:
    """Return the folded names in the statements that change the schema, such as those of a temporary table."""
    found: set[str] = set()
    for statement in migration.statements:
        with suppress(SqlError):
            tokens = significant(tokenize(statement))
            if tokens and tokens[0].word in ("CREATE", "ALTER"):
                found.update(fold(token.name) for token in tokens if token.is_name)
    return found


def _first_line(migration: MigrationFile, name: str) -> int | None:
    """Return the line of the first statement that names ``name``; None in a Python migration."""
    for statement in migration.statements:
        with suppress(SqlError):
            tokens = significant(tokenize(statement))
            if any(token.is_name and fold(token.name) == fold(name) for token in tokens):
                return _line(migration.sql, statement, tokens)
    return None


def _line(sql: str, statement: str, tokens: Sequence[Token]) -> int | None:
    """Return the line in ``sql`` at which ``statement`` begins, after the comments before it."""
    at = sql.find(statement)
    return None if at < 0 or not tokens else sql.count("\n", 0, at + tokens[0].start) + 1


def _rename(before: sqlite3.Connection, migration: MigrationFile, after: Mapping[str, Table]) -> None:
    """Rename in ``before`` what ``migration`` renames for good, so that it doesn't seem dropped."""
    for statement in migration.statements:
        if _renames_for_good(statement, after):
            with suppress(sqlite3.Error):  # it renames something that the migration has made itself
                execute(before, statement)


def _renames_for_good(statement: str, after: Mapping[str, Table]) -> bool:
    """Return whether ``statement`` renames a table or a column, and ``after`` has the new name and not the old one."""
    if (one := rename_in(statement)) is None:
        return False
    if not one.column:
        return one.table not in after and one.new in after
    columns = {fold(column.name) for column in after[one.table].columns} if one.table in after else set[str]()
    return one.column not in columns and one.new in columns
