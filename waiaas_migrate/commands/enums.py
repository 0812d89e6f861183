"""``enums``: write the application's enums as a Python or TypeScript module."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal

from waiaas_migrate.commands.findings import Finding, FindingCode, Subject
from waiaas_migrate.commands.typed_tables.names import singular
from waiaas_migrate.commands.written_file import origin_sentence, staleness
from waiaas_migrate.errors import SchemaFileError, UsageError
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition
from waiaas_migrate.files.enum_sources.load_enums import EnumSource, load_enums, same_enums
from waiaas_migrate.files.enum_sources.words import split_words, words_of
from waiaas_migrate.files.problem_report import Origin
from waiaas_migrate.files.project import Project
from waiaas_migrate.files.schema_file.load_schema import declared_sources
from waiaas_migrate.files.text_file import display_name

EnumLanguage = Literal["python", "typescript"]

#: The default line width of Prettier.
_PRETTIER_WIDTH = 80
_TYPESCRIPT_NAME = re.compile(r"[A-Za-z_$][\w$]*\Z", re.ASCII)
#: Every JSON string is also a Python string.
_python_literal = partial(json.dumps, ensure_ascii=False)


def enums(project: Project, *, language: EnumLanguage, sources: Sequence[str] = ()) -> str:
    """Return the text of a module with the enums of a project; write nothing.

    ``sources`` are modules and files with enums; by default, those that schema.yaml names.

    Raises:
        UsageError: schema.yaml names no sources, or the sources define no enums.
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
    module_text = python_module if language == "python" else _typescript_module
    origin = " or ".join(dict.fromkeys(source.name for source in enum_sources))
    head = [f"{origin_sentence('enums')} Change {origin} instead."]
    faulty = [one for one in loaded.definitions if one.problem and one.shape in ("list", "class")]
    head += [f"Left out: {one.name} of {one.at.file}, because {one.problem}." for one in faulty]
    return module_text(_group_enums(usable), head)


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
    return first == second or same_enums(first, second, suffix=".py" if language == "python" else ".ts")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumGroup:
    """An enum with the names of its definitions: a class or type, a list, or both.

    ``members`` are the names of the values in the class. ``type_name`` or ``list_name`` is empty if missing.
    """

    values: tuple[str | int, ...]
    type_name: str = ""
    list_name: str = ""
    members: tuple[str, ...] = ()

    @property
    def kinds(self) -> set[type]:
        """Return the types of the values."""
        return {type(value) for value in self.values}


def _group_enums(definitions: Iterable[EnumDefinition]) -> tuple[EnumGroup, ...]:
    """Return the enums that ``definitions`` define, in the same order.

    A list and a type are one enum if they have the same values, and the same words in their names, such as
    ``CHAIN_TYPES`` and ``ChainType``. A list without a type gets a type name, unless that is taken or invalid.
    """
    groups: dict[object, EnumGroup] = {}
    by_name = {definition.name: definition for definition in definitions if not definition.problem}
    for name, definition in by_name.items():
        key: object = (definition.values, words_of(name))
        group = groups.get(key, EnumGroup(values=definition.values))
        if group.list_name if definition.shape == "list" else group.type_name:  # a second list, or a second type
            key, group = name, EnumGroup(values=definition.values)
        if definition.shape == "list":
            groups[key] = replace(group, list_name=name)
        else:
            groups[key] = replace(group, type_name=name, members=definition.members)
    taken = set(by_name)
    return tuple(_with_type_name(group, taken) for group in groups.values())


def _with_type_name(group: EnumGroup, taken: set[str]) -> EnumGroup:
    *words, last = split_words(group.list_name) or ("",)
    name = "".join(word.capitalize() for word in (*words, singular(last)))
    if group.type_name or not name.isidentifier() or name in taken:
        return group
    taken.add(name)
    return replace(group, type_name=name)


def _wrap_items(opening: str, items: Sequence[str], closing: str, *, indent: str, width: int) -> str:
    """Return ``items`` on one line, or each on its own line if one line would be longer than ``width``."""
    line = f"{opening}{', '.join(items)}{closing}"
    if len(line) <= width:
        return line
    return "\n".join([opening, *(f"{indent}{item}," for item in items), closing.lstrip(",")])


def python_module(groups: Iterable[EnumGroup], head: Sequence[str]) -> str:
    """Return the text of a module that defines ``groups``, after the comment ``head``."""
    enums = tuple(groups)
    classes = [group for group in enums if _is_class(group)]
    bases = sorted({_base(group) for group in classes})
    imports = [f"from enum import {', '.join(bases)}"] if bases else []
    if any(group.type_name and not _is_class(group) for group in enums):
        imports.append("from typing import Literal")
    top = "\n".join([*(f"# {line}" for line in head), '"""The enums of the application."""', "", *imports]).rstrip()
    lists = "\n".join(line for group in enums for line in _other_definitions(group))
    return "\n\n\n".join(part for part in (top, *map(_class, classes), lists) if part) + "\n"


def _is_class(group: EnumGroup) -> bool:
    """Return whether the generated type is a class; StrEnum and IntEnum can't mix text and numbers."""
    return bool(group.type_name) and len(group.kinds) == 1


def _base(group: EnumGroup) -> str:
    return "StrEnum" if group.kinds == {str} else "IntEnum"


def _class(group: EnumGroup) -> str:
    members = [
        f"    {name} = {_python_literal(value)}" for name, value in zip(_members(group), group.values, strict=True)
    ]
    return "\n".join([f"class {group.type_name}({_base(group)}):", *members])


def _other_definitions(group: EnumGroup) -> Iterator[str]:
    """Yield the definitions of ``group`` that are not classes: a list, or a Literal of text and numbers."""
    items = [_python_literal(value) for value in group.values]
    wrap = partial(_wrap_items, indent="    ", width=88)  # the default line length of Black and ruff
    if group.type_name and not _is_class(group):
        yield wrap(f"{group.type_name} = Literal[", items, "]")
    if group.list_name and _is_class(group):
        yield f"{group.list_name} = tuple({group.type_name})"
    elif group.list_name:
        yield wrap(f"{group.list_name} = (", items, ",)" if len(items) == 1 else ")")


def _members(group: EnumGroup) -> tuple[str, ...]:
    """Return a name for each value. Duplicates get a number."""
    base = int if group.kinds == {int} else str
    names: list[str] = []
    for given in group.members or map(_member_name, group.values):
        valid = _valid_name(given, base)
        candidates = (f"{valid}_{number}" if number > 1 else valid for number in count(1))
        names.append(next(name for name in candidates if name not in names))
    return tuple(names)


def _member_name(value: str | int) -> str:
    if isinstance(value, int):
        return f"VALUE_MINUS_{-value}" if value < 0 else f"VALUE_{value}"
    return re.sub(r"\W+", "_", value).strip("_").upper()


def _valid_name(name: str, base: type) -> str:
    """Return ``name``, changed if a member of an enum of ``base`` can't have this name."""
    if hasattr(base, name) or name in ("name", "value", "mro") or keyword.iskeyword(name):
        name = name.upper() if name.upper() != name else f"{name}_"
    name = re.sub(r"\W", "_", name).strip("_") or "EMPTY"
    return name if name.isidentifier() else f"VALUE_{name}"


def _typescript_module(groups: Iterable[EnumGroup], head: Sequence[str]) -> str:
    """Return the text of a module with an array, an object or a type for each enum, after the comment ``head``."""
    comment = "\n".join(f"// {line}" for line in head)
    return "\n\n".join([comment, *("\n".join(_declarations(group)) for group in groups)]) + "\n"


def _declarations(group: EnumGroup) -> Iterator[str]:
    items, name = [_typescript_literal(value) for value in group.values], group.type_name
    if group.list_name:
        opening = f"export const {group.list_name} = ["
        yield _wrap_items(opening, items, "] as const;", indent="  ", width=_PRETTIER_WIDTH)
        if name:
            yield f"export type {name} = (typeof {group.list_name})[number];"
    elif group.members:
        keys = (key if _TYPESCRIPT_NAME.match(key) else _typescript_literal(key) for key in group.members)
        entries = [f"{key}: {value}" for key, value in zip(keys, items, strict=True)]
        yield "\n".join([f"export const {name} = {{", *(f"  {entry}," for entry in entries), "} as const;"])
        type_line = f"export type {name} = (typeof {name})[keyof typeof {name}];"
        yield type_line if len(type_line) <= _PRETTIER_WIDTH else type_line.replace(" = ", " =\n  ")
    else:
        line = f"export type {name} = {' | '.join(items)};"
        parts = [f"export type {name} =", *(f"  | {item}" for item in items)]
        yield line if len(line) <= _PRETTIER_WIDTH else "\n".join(parts) + ";"


def _typescript_literal(value: str | int) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, int) or ("'" in value and '"' not in value):
        return text
    inner = text[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"
