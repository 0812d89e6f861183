"""``enums``: write the application's enums as a Python or TypeScript module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from waiaas_migrate.commands.enum_modules import group_enums, python_module, typescript_module
from waiaas_migrate.commands.findings import Finding, FindingCode, Subject
from waiaas_migrate.commands.written_file import origin_sentence, staleness
from waiaas_migrate.errors import SchemaFileError, UsageError
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums, same_enums
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import declared_sources
from waiaas_migrate.files.text_file import display_name

EnumLanguage = Literal["python", "typescript"]

_SUFFIXES: dict[EnumLanguage, str] = {"python": ".py", "typescript": ".ts"}


def enums(project: Project, *, language: EnumLanguage, sources: Sequence[str] = ()) -> str:
    """Return the text of a module with the enums of a project; write nothing.

    ``sources`` are modules and files with enums; by default, those that schema.yaml names.

    Raises:
        UsageError: the sources define no enums.
        SchemaFileError: a source can't be read, or two sources define an enum differently.
    """
    given = tuple(EnumSource(source, Origin(file="SOURCE")) for source in sources)
    enum_sources = given or declared_sources(project.schema, root=project.root)
    if not enum_sources:
        raise UsageError("schema.yaml names no enums. Name a SOURCE, or add `enums: src/enums.ts` to schema.yaml.")
    loaded = load_enums(enum_sources, root=project.root)
    usable = list(filter(None, map(loaded.find, dict.fromkeys(loaded.usable()))))
    if problems := [one.as_problem() for one in usable if one.problem]:
        raise SchemaFileError(problems)
    if not usable:
        raise UsageError(f"{' or '.join(loaded.sources)}: defines no enum. Name another SOURCE.")
    module_text = python_module if language == "python" else typescript_module
    origin = " or ".join(dict.fromkeys(source.name for source in enum_sources))
    head = [f"{origin_sentence('enums')} Change {origin} instead."]
    faulty = [one for one in loaded.definitions if one.problem and one.shape in ("list", "class")]
    head += [f"Left out: {one.name} of {one.at.file}, because {one.problem}." for one in faulty]
    return module_text(group_enums(usable), head)


def enum_outputs(project: Project) -> dict[EnumLanguage, Path]:
    """Return the paths of generated modules that pyproject.toml sets, by language."""
    named: dict[EnumLanguage, Path | None] = {"python": project.enums_python, "typescript": project.enums_typescript}
    return {language: path for language, path in named.items() if path is not None}


def stale_enums(project: Project) -> Iterator[Finding]:
    """Yield a finding for each generated module that is missing or out of date."""
    for language, path in enum_outputs(project).items():
        text = enums(project, language=language)
        if what := staleness(path, text, is_same=partial(is_same_module, language=language)):
            code, where, fix = FindingCode.STALE_ENUMS, display_name(path, project.root), "Run `waiaas-migrate enums`."
            yield Finding(code=code, subject=Subject.ENUM, where=where, what=what, fix=fix, file=where)


def is_same_module(first: str, second: str, *, language: EnumLanguage) -> bool:
    """Return whether two modules define the same enums, whatever their layout."""
    return first == second or same_enums(first, second, suffix=_SUFFIXES[language])
