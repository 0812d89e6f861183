"""Read waivers: the entries in schema.yaml, and comments in migrations, that tell ``lint`` to ignore a code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from waiaas_migrate.commands.lint.rule import unknown_code
from waiaas_migrate.errors import MigrationsError, SchemaFileError
from waiaas_migrate.files.migration_dir.migration_files import MigrationFile
from waiaas_migrate.files.problem_report import Origin, Report
from waiaas_migrate.files.schema_file.locate import KeyPath, text_values
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.schema.names import fold

_COMMENT = re.compile(r"^\s*(?:--|#) *lint ignore\b *(?P<code>\w*) *:? *(?P<reason>.*?) *$", re.MULTILINE)


class Waiver(NamedTuple):
    """A code that ``lint`` ignores in one part of schema.yaml; ``path`` is the folded keys that lead to this part."""

    path: KeyPath
    code: str

    def covers(self, path: KeyPath, code: str) -> bool:
        """Return whether the waiver covers a finding of ``code`` at ``path``."""
        return code == self.code and tuple(map(fold, path[: len(self.path)])) == self.path


def schema_waivers(path: Path, *, root: Path) -> tuple[Waiver, ...]:
    """Return the waivers in schema.yaml: ``lint: {ignore: [CODE]}`` at the top, in a table or in a column.

    Raises:
        SchemaFileError: a code is unknown.
    """
    report = Report()
    waivers = []
    for keys, origin, code in text_values(path, root=root):
        if keys[-3:-1] == ("lint", "ignore") and len(keys) in (3, 5, 7):
            waivers.append(Waiver(tuple(map(fold, keys[:-3])), code))
            if problem := unknown_code(code):
                report.add(origin, *problem)
    if problems := report.problems():
        raise SchemaFileError(problems)
    return tuple(waivers)


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
