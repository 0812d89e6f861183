"""Assemble the module: its head, imports, and the code of each table."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from waiaas_migrate.commands.typed_tables.constraints import Constraints, server_default
from waiaas_migrate.commands.typed_tables.models import Attribute, Model, models_of
from waiaas_migrate.commands.typed_tables.python_text import Call, Code, Text, call, imports, lines, quoted
from waiaas_migrate.commands.typed_tables.relationships import Relationship, relationships
from waiaas_migrate.commands.typed_tables.values import TYPES, Source
from waiaas_migrate.commands.written_file import mark
from waiaas_migrate.schema.model import Schema

Style = Literal["declarative", "core"]

_FIRST_LINE = f"# {mark('models')} Change schema.yaml instead."

_ORM = "sqlalchemy.orm"
_WIDTH = 88


def module_text(source: Source, *, style: Style) -> str:
    """Return the source of a module with a class or a ``Table`` for each table of the schema."""
    models = models_of(source, classes=style == "declarative")
    constraints = Constraints(models)
    if style == "core":
        code = [block for model in models for block in _variable(model, constraints, metadata="metadata")]
        code.insert(0, "metadata = sa.MetaData()")
    else:
        links = relationships(models)
        code = [_base(), *(block for model in models for block in _model(model, constraints, links))]
    head = _head(source.declared.schema, constraints.left_out)
    return "\n".join([_FIRST_LINE, *head, "", *_imports(models, style), *_aliases(models), _joined(code, style), ""])


def _joined(blocks: Iterable[str], style: Style) -> str:
    between = "\n" if style == "core" else "\n\n"
    return "".join(f"{between}{block}\n" for block in blocks).rstrip("\n")


def _head(schema: Schema, left_out: Iterable[str]) -> list[str]:
    """Return the module's docstring, which lists what SQLAlchemy can't create."""
    virtual = [f"virtual table {table.name}" for table in schema.virtual_tables]
    views = [f"view {view.name}" for view in schema.views]
    triggers = [f"trigger {trigger.name}" for trigger in schema.triggers]
    missing = [*left_out, *virtual, *views, *triggers]
    title = "The tables of the database, for SQLAlchemy."
    if not missing:
        return [f'"""{title}"""']
    listed = [
        line
        for one in missing
        for line in textwrap.wrap(_in_docstring(one), _WIDTH, initial_indent="- ", subsequent_indent="  ")
    ]
    return [f'"""{title}', "", "SQLAlchemy can't create these parts of the schema; migrations do:", "", *listed, '"""']


def _in_docstring(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")


def _imports(models: Sequence[Model], style: Style) -> list[str]:
    """Return the imports in sections, as isort orders them."""
    needed = {name for model in models for one in model.attributes for name in one.values.imports}
    for model in models:
        if model.is_class:
            needed.update(name for one in model.attributes for name in one.values.annotation_imports)
    sqlalchemy = set()
    if style == "declarative":
        sqlalchemy = {(_ORM, name) for name in ("DeclarativeBase", "MappedAsDataclass")}
        if any(model.is_class for model in models):
            sqlalchemy |= {(_ORM, "Mapped"), (_ORM, "mapped_column")}
        if relationships(models):
            sqlalchemy.add((_ORM, "relationship"))
    standard = {one for one in needed if one[0].partition(".")[0] in sys.stdlib_module_names}
    types = {one for one in needed if one[0] == TYPES}
    own = needed - standard - types
    # One package is one section, if the enums are this package's own.
    if any(module.startswith(f"{TYPES.partition('.')[0]}.") for module, _ in own):
        own, types = own | types, set()
    sections = [
        ["from __future__ import annotations"],
        imports(standard),
        ["import sqlalchemy as sa", *imports(sqlalchemy | types)],
        imports(own),
    ]
    return [line for section in sections if section for line in (*section, "")][:-1]


def _aliases(models: Iterable[Model]) -> list[str]:
    """Return the definitions of the names that stand for lists of values."""
    found = [
        line
        for model in models
        if model.is_class
        for one in model.attributes
        if one.values.alias is not None
        for line in lines(one.values.alias, before=f"{one.values.annotation} = ")
    ]
    return ["", *found] if found else []


def _base() -> str:
    options = "MappedAsDataclass, DeclarativeBase, kw_only=True, eq=False, repr=False"
    return f'class Base({options}):\n    """The base of all classes; ``Base.metadata`` has all tables."""'


def _model(model: Model, constraints: Constraints, links: Iterable[Relationship]) -> Iterator[str]:
    if not model.is_class:
        yield from _variable(model, constraints, metadata="Base.metadata")
        return
    columns = [line for one in model.attributes for line in _attribute(model, one, constraints)]
    arguments = _table_arguments(model, constraints)
    own = [line for link in links if link.owner == model.name for line in _relationship(link)]
    body = [
        *_docstring(model),
        "",
        f"    __tablename__ = {quoted(model.table.name)}",
        *(lines(arguments, indent=4, before="__table_args__ = ") if arguments is not None else []),
        "",
        *columns,
        *(["", *own] if own else []),
    ]
    yield "\n".join([f"class {model.name}(Base, kw_only=True):", *body])


def _docstring(model: Model) -> list[str]:
    title = f"A row of {_in_docstring(model.table.name)}."
    comment = _in_docstring(model.table.comment or "") or title
    text = comment if comment.endswith((".", "!", "?")) else f"{comment}."
    if len(text) <= _WIDTH - 10 and not text.startswith('"'):
        return [f'    """{text}"""']
    return [f'    """{title}', "", *(f"    {line}" for line in textwrap.wrap(text, _WIDTH - 4)), '    """']


def _table_arguments(model: Model, constraints: Constraints) -> Code | None:
    parts = constraints.of_table(model.table)
    options = tuple((f"{quoted(name)}: ", code) for name, code in constraints.options(model.table))
    mapping = Call(opening="{", items=options, closing="}") if options else None
    if not parts and mapping is None:
        return None
    items = [*parts, *([mapping] if mapping is not None else [])]
    return Call(opening="(", items=tuple(("", item) for item in items))


def _attribute(model: Model, attribute: Attribute, constraints: Constraints) -> list[str]:
    column, values = attribute.column, attribute.values
    arguments, options = constraints.of_column(model, attribute)
    kind = values.type
    initial = _initial(attribute)
    if attribute.accepts_none and column.default is not None and initial.get("default") not in (None, "None"):
        # Otherwise SQLAlchemy takes None for "no value", and inserts the default.
        kind = _evaluates_none(kind)
    code = call(
        "mapped_column",
        *([Text(column.name)] if column.name != attribute.name else []),
        kind,
        *arguments,
        **_options(attribute, options, is_nullable=attribute.accepts_none),
        **initial,
        **_server_options(attribute),
    )
    annotation = f"{values.annotation} | None" if attribute.accepts_none else values.annotation
    return lines(code, indent=4, before=f"{attribute.name}: Mapped[{annotation}] = ")


def _evaluates_none(kind: Code) -> Code:
    if isinstance(kind, Call):
        return replace(kind, closing=").evaluates_none()")
    return f"{kind}.evaluates_none()" if str(kind).endswith(")") else f"{kind}().evaluates_none()"


def _options(attribute: Attribute, options: dict[str, Code | None], *, is_nullable: bool | None) -> dict[str, Code]:
    """Return the options of a column, with ``nullable`` if SQLAlchemy would assume something else."""
    nullable = attribute.column.not_null is None
    # By default, neither keys nor columns whose annotation doesn't accept None are nullable.
    assumed = False if attribute.in_key else is_nullable
    found = {name: code for name, code in options.items() if code is not None}
    key = {"primary_key": found.pop("primary_key")} if "primary_key" in found else {}
    says_any = attribute.values.annotation == "Any"
    if nullable != assumed or says_any:
        key["nullable"] = str(nullable)
    return {**key, **_counted(attribute), **found}


def _counted(attribute: Attribute) -> dict[str, Code]:
    """Return an option if SQLAlchemy would expect SQLite to number the rows, but SQLite doesn't."""
    is_integer = attribute.values.type == "sa.Integer"
    return {"autoincrement": "False"} if attribute.in_key and is_integer and not attribute.is_numbered else {}


def _initial(attribute: Attribute) -> dict[str, Code]:
    """Return what a new object has if its constructor is not given a value; nothing if it must be given one."""
    column = attribute.column
    if column.generated is not None:
        return {"init": "False"}
    if column.default is not None:
        option, code = attribute.values.default(column) or ("default", "None")
        return {option: code}
    return {"default": "None"} if attribute.accepts_none or attribute.is_numbered else {}


def _server_options(attribute: Attribute) -> dict[str, Code]:
    column = attribute.column
    found: dict[str, Code] = {}
    if column.default is not None:
        found["server_default"] = server_default(column.default.sql)
    if column.comment:
        found["comment"] = Text(column.comment)
    return found


def _relationship(link: Relationship) -> list[str]:
    return lines(link.code, indent=4, before=f"{link.name}: Mapped[{link.annotation}] = ")


def _variable(model: Model, constraints: Constraints, *, metadata: str) -> Iterator[str]:
    """Yield the definition of a ``Table``."""
    columns = []
    for one in model.attributes:
        arguments, options = constraints.of_column(model, one)
        columns.append(
            call(
                "sa.Column",
                Text(one.column.name),
                one.values.type,
                *arguments,
                **_options(one, options, is_nullable=True),
                **_server_options(one),
            )
        )
    parts = [quoted(model.table.name), metadata, *columns, *constraints.of_table(model.table)]
    items = [("", part) for part in parts]
    items += [(f"{name}=", code) for name, code in constraints.options(model.table)]
    yield "\n".join(lines(Call(opening="sa.Table(", items=tuple(items)), before=f"{model.name} = "))
