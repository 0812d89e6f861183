"""Generate a Python module with enums."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import count

from waiaas_migrate.commands.enum_modules.groups import EnumGroup, wrap_items

#: 88 is the default line length of Black and ruff.
_wrap_items = partial(wrap_items, indent="    ", width=88)


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
    members = [f"    {name} = {_literal(value)}" for name, value in zip(_members(group), group.values, strict=True)]
    return "\n".join([f"class {group.type_name}({_base(group)}):", *members])


def _other_definitions(group: EnumGroup) -> Iterator[str]:
    """Yield the definitions of ``group`` that are not classes: a list, or a Literal of text and numbers."""
    items = [_literal(value) for value in group.values]
    if group.type_name and not _is_class(group):
        yield _wrap_items(f"{group.type_name} = Literal[", items, "]")
    if group.list_name and _is_class(group):
        yield f"{group.list_name} = tuple({group.type_name})"
    elif group.list_name:
        yield _wrap_items(f"{group.list_name} = (", items, ",)" if len(items) == 1 else ")")


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


def _literal(value: str | int) -> str:
    # Every JSON string is also a Python string.
    return json.dumps(value, ensure_ascii=False)
