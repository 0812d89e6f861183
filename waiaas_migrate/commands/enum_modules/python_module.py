"""Write enums as a Python module."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from waiaas_migrate.commands.enum_modules.groups import EnumGroup, unique, wrapped

#: Indents by four spaces, and breaks a line that is longer than the usual formatters allow.
_wrapped = partial(wrapped, indent="    ", longest=88)


def python_module(groups: Iterable[EnumGroup], head: Sequence[str]) -> str:
    """Return a module with a class for each enum, and the lists made of them, after the comment ``head``."""
    found = tuple(groups)
    classes = [group for group in found if _is_class(group)]
    bases = sorted({_base(group) for group in classes})
    imports = [f"from enum import {', '.join(bases)}"] if bases else []
    if any(group.type_name and not _is_class(group) for group in found):
        imports.append("from typing import Literal")
    top = "\n".join([*(f"# {line}" for line in head), '"""The enums of the application."""', "", *imports]).rstrip()
    lists = "\n".join(line for group in found for line in _plain(group))
    return "\n\n\n".join(part for part in (top, *map(_class, classes), lists) if part) + "\n"


def _is_class(group: EnumGroup) -> bool:
    return bool(group.type_name) and len(group.kinds) == 1


def _base(group: EnumGroup) -> str:
    return "StrEnum" if group.kinds == {str} else "IntEnum"


def _class(group: EnumGroup) -> str:
    members = [f"    {name} = {_literal(value)}" for name, value in zip(_members(group), group.values, strict=True)]
    return "\n".join([f"class {group.type_name}({_base(group)}):", *members])


def _plain(group: EnumGroup) -> Iterator[str]:
    """Yield the definitions other than classes: lists, and types whose values are both text and numbers."""
    items = [_literal(value) for value in group.values]
    if group.type_name and not _is_class(group):
        yield _wrapped(f"{group.type_name} = Literal[", items, "]")
    if group.list_name and _is_class(group):
        yield f"{group.list_name} = tuple({group.type_name})"
    elif group.list_name:
        yield _wrapped(f"{group.list_name} = (", items, ",)" if len(items) == 1 else ")")


def _members(group: EnumGroup) -> tuple[str, ...]:
    """Return a name for each value: its given name if Python allows it, or one made from the value."""
    names = group.members or tuple(_name_of(value) for value in group.values)
    return unique(_allowed(name, int if group.kinds == {int} else str) for name in names)


def _name_of(value: str | int) -> str:
    if isinstance(value, int):
        return f"VALUE_MINUS_{-value}" if value < 0 else f"VALUE_{value}"
    return re.sub(r"\W+", "_", value).strip("_").upper()


def _allowed(name: str, base: type) -> str:
    """Return ``name`` if a member can be called that, or a name that is like it."""
    if hasattr(base, name) or name in ("name", "value", "mro") or keyword.iskeyword(name):
        name = name.upper() if name.upper() != name else f"{name}_"
    name = re.sub(r"\W", "_", name).strip("_") or "EMPTY"
    return name if name.isidentifier() else f"VALUE_{name}"


def _literal(value: str | int) -> str:
    # JSON's escapes are Python's, too.
    return json.dumps(value, ensure_ascii=False)
