"""Generate the module that ``models`` writes: its docstring, its imports, and the code of each table."""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterable
from typing import Literal

from waiaas_migrate.commands.typed_tables.models import IMPORTS, Model, models_of
from waiaas_migrate.commands.typed_tables.python_text import Call, Code, call, given, imports, lines, quoted
from waiaas_migrate.commands.typed_tables.relationships import Relationship, relationships
from waiaas_migrate.commands.typed_tables.table_code import TableCode
from waiaas_migrate.commands.typed_tables.values import Source
from waiaas_migrate.commands.written_file import origin_sentence
from waiaas_migrate.schema.model import Schema

Style = Literal["declarative", "core"]

_BASE = '''\
class Base(MappedAsDataclass, DeclarativeBase, kw_only=True, eq=False, repr=False):
    """The base of all classes; ``Base.metadata`` has all tables."""'''
_WIDTH = 88


def module_text(source: Source, *, style: Style) -> str:
    """Return the source of a module with a class or a ``Table`` for each table of the schema."""
    models = models_of(source, classes=style == "declarative")
    tables = TableCode(models)
    links = relationships(models)
    first, metadata, between = {
        "core": ("metadata = sa.MetaData()", "metadata", "\n"),
        "declarative": (_BASE, "Base.metadata", "\n\n"),
    }[style]
    code = [_class(model, tables, links) if model.is_class else _variable(model, tables, metadata) for model in models]
    body = "\n".join([*_aliases(models), *(f"{between}{block}" for block in (first, *code)), ""])
    head = _head(source.declared.schema, tables.left_out)
    first_line = f"# {origin_sentence('models')} Change schema.yaml instead."
    return "\n".join([first_line, *head, "", *_imports(body, source), body])


def _head(schema: Schema, left_out: Iterable[str]) -> list[str]:
    """Return the module's docstring, which lists the parts of the schema that SQLAlchemy can't create."""
    missing = [
        *left_out,
        *(f"virtual table {table.name}" for table in schema.virtual_tables),
        *(f"view {view.name}" for view in schema.views),
        *(f"trigger {trigger.name}" for trigger in schema.triggers),
    ]
    title = "The tables of the database, for SQLAlchemy."
    if not missing:
        return [f'"""{title}"""']
    listed = [
        line
        for part in missing
        for line in textwrap.wrap(_in_docstring(part), _WIDTH, initial_indent="- ", subsequent_indent="  ")
    ]
    return [f'"""{title}', "", "SQLAlchemy can't create these parts of the schema; migrations do:", "", *listed, '"""']


def _in_docstring(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")


def _imports(body: str, source: Source) -> list[str]:
    """Return the imports that ``body`` needs, in the sections and the order of isort."""
    modules = {name: enum.module for name, enum in source.enums.items()} | IMPORTS
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    needed = {(modules[name], name) for name in used & modules.keys()}
    standard = {(module, name) for module, name in needed if module.partition(".")[0] in sys.stdlib_module_names}
    application = needed - standard - {(module, name) for name, module in IMPORTS.items()}
    # The enums of the WAIaaS schema are in this package, so its column types belong to the same section.
    if any(module.startswith("waiaas_migrate.") for module, _ in application):
        application |= {(module, name) for module, name in needed if module == IMPORTS["Declared"]}
    sections = [
        ["from __future__ import annotations"],
        imports(standard),
        ["import sqlalchemy as sa", *imports(needed - standard - application)],
        imports(application),
    ]
    return [line for section in sections if section for line in (*section, "")][:-1]


def _aliases(models: Iterable[Model]) -> list[str]:
    """Return the definitions of type aliases, such as ``TaskState = Literal["open", "done"]``."""
    values = [attribute.values for model in models if model.is_class for attribute in model.attributes]
    aliases = [(each.annotation, each.alias) for each in values if each.alias is not None]
    definitions = [line for name, alias in aliases for line in lines(alias, before=f"{name} = ")]
    return ["", *definitions] if definitions else []


def _class(model: Model, tables: TableCode, links: Iterable[Relationship]) -> str:
    columns = [
        line for one in model.attributes for line in _attribute(one.name, one.annotation, tables.column(model, one))
    ]
    own_links = [link for link in links if link.owner == model.name]
    relationship_lines = [line for one in own_links for line in _attribute(one.name, one.annotation, one.code)]
    return "\n".join(
        [
            f"class {model.name}(Base, kw_only=True):",
            *_docstring(model),
            "",
            f"    __tablename__ = {quoted(model.table.name)}",
            *_table_arguments(model, tables),
            "",
            *columns,
            *(["", *relationship_lines] if relationship_lines else []),
        ]
    )


def _docstring(model: Model) -> list[str]:
    title = f"A row of {_in_docstring(model.table.name)}."
    comment = _in_docstring(model.table.comment or "") or title
    text = comment if comment.endswith((".", "!", "?")) else f"{comment}."
    if len(text) <= _WIDTH - 10 and not text.startswith('"'):
        return [f'    """{text}"""']
    return [f'    """{title}', "", *(f"    {line}" for line in textwrap.wrap(text, _WIDTH - 4)), '    """']


def _table_arguments(model: Model, tables: TableCode) -> list[str]:
    items = [("", part) for part in tables.constraints(model.table)]
    if options := given(tables.options(model.table)):
        named = tuple((f"{quoted(name)}: ", code) for name, code in options.items())
        items.append(("", Call(opening="{", items=named, closing="}")))
    return lines(Call(opening="(", items=tuple(items)), indent=4, before="__table_args__ = ") if items else []


def _attribute(name: str, annotation: str, code: Code) -> list[str]:
    return lines(code, indent=4, before=f"{name}: Mapped[{annotation}] = ")


def _variable(model: Model, tables: TableCode, metadata: str) -> str:
    columns = [tables.column(model, attribute) for attribute in model.attributes]
    parts = [quoted(model.table.name), metadata, *columns, *tables.constraints(model.table)]
    return "\n".join(lines(call("sa.Table", *parts, **tables.options(model.table)), before=f"{model.name} = "))
