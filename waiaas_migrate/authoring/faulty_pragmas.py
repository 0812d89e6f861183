"""Refuse PRAGMAs of schema.yaml that SQLite ignores or changes."""

from __future__ import annotations

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.problem_report import listed, suggestion
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import locate_problems
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.sqlite.database.pragma_trial import PragmaFault, pragma_faults
from waiaas_migrate.sqlite.database.pragmas import Pragma

#: The most allowed values that a message lists.
_MOST_LISTED = 8


def refuse_faulty_pragmas(project: Project, pragmas: tuple[Pragma, ...]) -> None:
    """Set ``pragmas`` on a scratch database, and refuse PRAGMAs that don't keep their value.

    Raises:
        SchemaFileError: lists these PRAGMAs, each with its place in schema.yaml.
    """
    if problems := [_problem(fault) for fault in pragma_faults(pragmas)]:
        problems = locate_problems(problems, project.schema, root=project.root)
        raise SchemaFileError(sorted(problems, key=lambda problem: problem.line or 0))


def _problem(fault: PragmaFault) -> Problem:
    is_short = 0 < len(fault.known) <= _MOST_LISTED
    otherwise = f"Write one of {listed(fault.known)}." if is_short else "Correct or remove it."
    fix = suggestion(fault.word, fault.known, otherwise)
    return Problem(file="", path=append_key("pragmas", fault.pragma.name), what=fault.what, fix=fix)
