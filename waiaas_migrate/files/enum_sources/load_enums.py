"""Load the enums of a project from its sources: Python modules, files, and mappings in schema.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.enum_sources.data_text import mapping_module, parse_data
from waiaas_migrate.files.enum_sources.definitions import EnumDefinition, LoadedEnums
from waiaas_migrate.files.enum_sources.evaluate import Evaluator, Language
from waiaas_migrate.files.enum_sources.expressions import Constant, Module
from waiaas_migrate.files.enum_sources.python_import import imported_enums
from waiaas_migrate.files.enum_sources.python_text import locate_python, parse_python
from waiaas_migrate.files.enum_sources.typescript_text import locate_typescript, parse_typescript
from waiaas_migrate.files.problem_report import Origin, Report, shown, suggestion
from waiaas_migrate.files.text_file import display_name
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode

_LITERAL = ("a string literal", "Write text in quotes, or the name of a string constant.")
_DATA = Language(
    parse_data,
    lambda *_: None,  # data imports nothing
    lists=("a list of values", "Write it as `[a, b]`."),
    values=("text or a whole number", "Put it in quotes."),
)
_PYTHON = Language(
    parse_python, locate_python, lists=("a list of literals", "Write it as `('a', 'b')`."), values=_LITERAL
)
_TYPESCRIPT = Language(
    parse_typescript,
    locate_typescript,
    lists=("an array, an enum, an object or a union of literals", "Write it as `['a', 'b'] as const`."),
    values=_LITERAL,
)
#: The language of each file, by the suffix of its name.
_LANGUAGES = {
    **dict.fromkeys((".yaml", ".yml", ".json"), _DATA),
    ".py": _PYTHON,
    **dict.fromkeys((".ts", ".tsx", ".mts", ".cts", ".js", ".mjs"), _TYPESCRIPT),
}


class EnumSource(NamedTuple):
    """A source of enums: a module, a file, or a mapping in schema.yaml; ``at`` is the place that names the source."""

    name: str
    at: Origin
    mapping: MappingNode | None = None


class _ReadSource(NamedTuple):
    """A source, the names in its text (None if only an import finds them), and its Python module (or empty)."""

    source: EnumSource
    text: Module | None
    module: str = ""


def load_enums(sources: Sequence[EnumSource], *, root: Path, used: Collection[str] | None = None) -> LoadedEnums:
    """Load the enums of ``sources``.

    An enum is an ``enum.Enum`` subclass, a ``typing.Literal``, or a tuple or list of strings or integers; in
    TypeScript an array, an enum, an object or a union of literals; in JSON and YAML a list or a mapping.

    No code is executed, except that Python modules are imported if they compute the values of a ``used`` enum.

    Args:
        sources: modules, files and mappings.
        root: the project's folder.
        used: the names of the enums that are needed; None for all.

    Raises:
        SchemaFileError: lists the sources that can't be read, and the faulty enums in mappings.
    """
    report, evaluator = Report(), Evaluator(_LANGUAGES, root)
    read = [found for source in sources if (found := _read(source, evaluator, root, report)) is not None]
    if report.problems():
        used = ()  # these problems are reported anyway, so import as little as possible
    in_text = [tuple(_definitions_in_text(one, evaluator, used or ())) for one in read]
    is_missing = used is None or not {enum.name for enums in in_text for enum in enums}.issuperset(used)
    definitions: list[EnumDefinition] = []
    to_import: list[tuple[str, str, Origin]] = []
    for (source, text, module), enums in zip(read, in_text, strict=True):
        if source.mapping is not None:
            report.extend(enum.as_problem() for enum in enums if enum.problem)
        if module and (text is None or _needs_import(text, enums, used, is_missing=is_missing)):
            to_import.append((source.name, module, source.at))
        else:
            definitions += enums
    definitions += imported_enums(to_import, root, report)
    if problems := report.problems():
        raise SchemaFileError(problems)
    return LoadedEnums(sources=tuple(one.source.name for one in read), definitions=tuple(definitions))


def _definitions_in_text(read: _ReadSource, evaluator: Evaluator, used: Iterable[str]) -> Iterator[EnumDefinition]:
    if read.text is not None:
        for name in dict.fromkeys((*evaluator.names(read.text), *used)):
            definition = evaluator.definition(read.text, name, read.source.name)
            if definition is not None:
                yield replace(definition, module=read.module)


def _needs_import(
    text: Module, enums: Iterable[EnumDefinition], used: Collection[str] | None, *, is_missing: bool
) -> bool:
    """Return whether a module must be imported to find the ``used`` enums.

    ``enums`` are the definitions in its ``text``. ``is_missing`` means that some used enum may be in no text.
    """
    problems = [enum.name for enum in enums if enum.problem and (used is None or enum.name in used)]
    # Importing can't turn a single value into a list.
    is_computed = any(not isinstance(text.names.get(name), Constant) for name in problems)
    return is_computed or (is_missing and not text.is_complete)


def _read(source: EnumSource, evaluator: Evaluator, root: Path, report: Report) -> _ReadSource | None:
    """Read the text of a source; report a problem and return None if it is missing or unusable."""
    if source.mapping is not None:
        # The suffix chooses the language.
        return _ReadSource(source, mapping_module(source.mapping, Path(f"{source.at.file}.yaml"), source.at.file))
    path, module = root / source.name, ""
    if path.suffix in _LANGUAGES:
        if not path.is_file():
            report.add(source.at, f"no such file: `{shown(source.name)}`.", _similar_file(path, root))
            return None
        module = _module_of(path, root) if path.suffix == ".py" else ""
    elif all(part.isidentifier() for part in source.name.split(".")):
        module, found = source.name, locate_python(source.name, root, root)
        if found is None:
            return _ReadSource(source, None, module)
        path = found
    else:
        fix = "Write a module such as `app.enums`, or a file such as `src/enums.ts`."
        report.add(source.at, f"`{shown(source.name)}` is neither a module nor a file that can be read.", fix)
        return None
    text = None
    try:
        text = evaluator.module(path)
    except SchemaFileError as error:
        if not module:  # not UTF-8; Python can import a module in another encoding
            report.extend(error.problems)
            return None
    return _ReadSource(source, text, module)


def _similar_file(path: Path, root: Path) -> str:
    """Return the fix for a missing file: suggest a file with a similar name."""
    files = path.parent.iterdir() if path.parent.is_dir() else ()
    known = [display_name(file, root) for file in files if file.suffix in _LANGUAGES]
    return suggestion(display_name(path, root), known, f"It is looked up in {root}. Correct the path.")


def _module_of(path: Path, root: Path) -> str:
    """Return the module name of a Python file; an empty string if it can't be imported by name."""
    for base in (root / "src", root):
        if path.is_relative_to(base):
            parts = path.relative_to(base).with_suffix("").parts
            return ".".join(parts) if all(part.isidentifier() for part in parts) else ""
    return ""


def same_enums(first: str, second: str, *, suffix: str) -> bool:
    """Return whether two texts define the same enums; the ``suffix`` of their files shows their language."""
    path = Path(f"enums{suffix}")
    in_first, in_second = (
        {(enum.name, enum.shape, enum.values, enum.members, enum.problem) for enum in enums_in(text, path, root=Path())}
        for text in (first, second)
    )
    return in_first == in_second


def enums_in(text: str, path: Path, *, root: Path) -> tuple[EnumDefinition, ...]:
    """Return the enums that ``text``, the text of the file at ``path``, defines. No module is imported."""
    module = _LANGUAGES[path.suffix].parse(text, path, "")
    read = _ReadSource(EnumSource("", Origin(file="")), module, _module_of(path, root))
    return tuple(_definitions_in_text(read, Evaluator(_LANGUAGES, root), ()))
