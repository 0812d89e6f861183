"""Generate a TypeScript module with enums."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from waiaas_migrate.commands.enum_modules.groups import EnumGroup, wrap_items

#: The default line width of Prettier.
_WIDTH = 80
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*\Z", re.ASCII)


def typescript_module(groups: Iterable[EnumGroup], head: Sequence[str]) -> str:
    """Return the text of a module with an array or an object and a type for each enum, after the comment ``head``."""
    comment = "\n".join(f"// {line}" for line in head)
    return "\n\n".join([comment, *("\n".join(_declarations(group)) for group in groups)]) + "\n"


def _declarations(group: EnumGroup) -> Iterator[str]:
    items, name = [_literal(value) for value in group.values], group.type_name
    if group.list_name:
        opening = f"export const {group.list_name} = ["
        yield wrap_items(opening, items, "] as const;", indent="  ", width=_WIDTH)
        if name:
            yield f"export type {name} = (typeof {group.list_name})[number];"
    elif group.members:
        keys = (key if _IDENTIFIER.match(key) else _literal(key) for key in group.members)
        entries = [f"{key}: {value}" for key, value in zip(keys, items, strict=True)]
        yield "\n".join([f"export const {name} = {{", *(f"  {entry}," for entry in entries), "} as const;"])
        type_line = f"export type {name} = (typeof {name})[keyof typeof {name}];"
        yield type_line if len(type_line) <= _WIDTH else type_line.replace(" = ", " =\n  ")
    else:
        line = f"export type {name} = {' | '.join(items)};"
        parts = [f"export type {name} =", *(f"  | {item}" for item in items)]
        yield line if len(line) <= _WIDTH else "\n".join(parts) + ";"


def _literal(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    if "'" in value and '"' not in value:
        return text
    inner = text[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"
