"""Read waivers: the entries in schema.yaml, and comments in migrations, that tell ``lint`` to ignore a code."""

from __future__ import annotations

import re
from pathlib import Path

from waiaas_migrate.commands.lint.rule import unknown_code
from waiaas_migrate.errors import MigrationsError, SchemaFileError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.problem_report import Origin, Report
from waiaas_migrate.files.schema_file.locate import KeyPath, text_values
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.schema.names import fold

_COMMENT = re.compile(r"^\s*(?:--|#) *lint ignore\b *(?P<code>\w*) *:? *(?P<reason>.*?) *$", re.MULTILINE)


def schema_waivers(path: Path, *, root: Path) -> frozenset[tuple[KeyPath, str]]:
    """Return the waivers in schema.yaml: ``lint: {ignore: [CODE]}`` at the top, in a table or in a column.

    Each waiver is a pair: the code, after the keys (in lower case) of the table or column, or () for the whole file.

    Raises:
        SchemaFileError: a code is unknown.
    """
    report = Report()
    waivers = set()
    for keys, origin, code in text_values(path, root=root):
        if keys[-3:-1] == ("lint", "ignore") and len(keys) in (3, 5, 7):
            waivers.add((tuple(map(fold, keys[:-3])), code))
            if problem := unknown_code(code):
                report.add(origin, *problem)
    if problems := report.problems():
        raise SchemaFileError(problems)
    return frozenset(waivers)


def migration_waivers(migration: MigrationFile, *, root: Path) -> frozenset[str]:
    """Return the codes that comments of ``migration`` ignore: ``-- lint ignore CODE: REASON``.

    Raises:
        MigrationsError: a code is unknown, or the reason is missing.
    """
    report = Report()
    codes = set()
    for match in _COMMENT.finditer(migration.sql):
        code, line = match["code"].upper(), migration.sql.count("\n", 0, match.start("code")) + 1
        origin = Origin(file=display_name(migration.path, root), line=line)
        if problem := unknown_code(code):
            report.add(origin, *problem)
        elif not match["reason"]:
            report.add(origin, "the waiver has no reason.", f"Write `-- lint ignore {code}: REASON`.")
        codes.add(code)
    if problems := report.problems():
        raise MigrationsError(problems)
    return frozenset(codes)
