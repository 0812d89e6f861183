"""``enums``: write the application's enums as a Python or TypeScript module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from waiaas_migrate.commands.enum_modules.groups import grouped
from waiaas_migrate.commands.enum_modules.python_module import python_module
from waiaas_migrate.commands.enum_modules.typescript_module import typescript_module
from waiaas_migrate.commands.findings import Finding, FindingCode, Subject
from waiaas_migrate.commands.written_file import mark, staleness
from waiaas_migrate.errors import SchemaFileError, UsageError
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums, same_enums
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.enum_keys import declared_sources
from waiaas_migrate.files.text_file import display_name

EnumLanguage = Literal["python", "typescript"]

_SUFFIXES: dict[EnumLanguage, str] = {"python": ".py", "typescript": ".ts"}


def enums(project: Project, *, language: EnumLanguage, sources: Sequence[str] = ()) -> str:
    """Return the source of a module with the enums of a project; write nothing.

    Args:
        project: the project.
        language: the language of the module.
        sources: modules and files with enums; those that schema.yaml names if empty.

    Raises:
        UsageError: there are no enums.
        SchemaFileError: a source can't be read, or two define an enum differently.
    """
    named = tuple(EnumSource(source, Origin(file="SOURCE")) for source in sources)
    found = named or declared_sources(project.schema, root=project.root)
    if not found:
        raise UsageError("schema.yaml names no enums. Name a SOURCE, or add `enums: src/enums.ts` to schema.yaml.")
    loaded = load_enums(found, root=project.root)
    definitions = [loaded.find(name) for name in dict.fromkeys(loaded.usable())]
    usable = [one for one in definitions if one is not None]
    if problems := [one.as_problem() for one in usable if one.problem]:
        raise SchemaFileError(problems)
    if not usable:
        raise UsageError(f"{' or '.join(loaded.sources)}: defines no enum. Name another SOURCE.")
    write = python_module if language == "python" else typescript_module
    origin = " or ".join(dict.fromkeys(one.name for one in found))
    head = [f"{mark('enums')} Change {origin} instead."]
    faulty = [one for one in loaded.definitions if one.problem and one.shape in ("list", "class")]
    head += [f"Left out: {one.name} of {one.at.file}, because {one.problem}." for one in faulty]
    return write(grouped(usable), head)


def enum_outputs(project: Project) -> dict[EnumLanguage, Path]:
    """Return the modules that pyproject.toml names, by language."""
    named: dict[EnumLanguage, Path | None] = {"python": project.enums_python, "typescript": project.enums_typescript}
    return {language: path for language, path in named.items() if path is not None}


def stale_enums(project: Project) -> Iterator[Finding]:
    """Report each configured module that is not what ``enums`` would write."""
    for language, path in enum_outputs(project).items():
        text = enums(project, language=language)
        if what := staleness(path, text, is_same=partial(is_same_module, language=language)):
            code, where, fix = FindingCode.STALE_ENUMS, display_name(path, project.root), "Run `waiaas-migrate enums`."
            yield Finding(code=code, subject=Subject.ENUM, where=where, what=what, fix=fix, file=where)


def is_same_module(found: str, text: str, *, language: EnumLanguage) -> bool:
    """Return whether two modules define the same enums, whatever their layout."""
    return found == text or same_enums(found, text, suffix=_SUFFIXES[language])
