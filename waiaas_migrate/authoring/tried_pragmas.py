"""Refuse PRAGMAs of schema.yaml that SQLite ignores or changes."""

from __future__ import annotations

from waiaas_migrate.errors import Problem, SchemaFileError
from waiaas_migrate.files.problem_report import listed, suggestion
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.locate import locate_problems
from waiaas_migrate.files.yaml_text.yaml_reader import append_key
from waiaas_migrate.sqlite.database.pragma_trial import PragmaFault, pragma_faults
from waiaas_migrate.sqlite.database.pragmas import Pragma

#: The number of words that a message lists.
_FEW = 8


def refuse_faulty_pragmas(project: Project, pragmas: tuple[Pragma, ...]) -> None:
    """Try ``pragmas`` on a scratch database.

    Raises:
        SchemaFileError: lists those that don't keep their value, each with its place in schema.yaml.
    """
    if problems := [_problem(fault) for fault in pragma_faults(pragmas)]:
        found = locate_problems(problems, project.schema, root=project.root)
        raise SchemaFileError(sorted(found, key=lambda problem: problem.line or 0))


def _problem(fault: PragmaFault) -> Problem:
    otherwise = f"Write one of {listed(fault.known)}." if 0 < len(fault.known) <= _FEW else "Correct or remove it."
    fix = suggestion(fault.word, fault.known, otherwise)
    return Problem(file="", path=append_key("pragmas", fault.pragma.name), what=fault.what, fix=fix)
