"""Read enums from TypeScript, with tree-sitter: arrays, enums, objects of constants, and unions of literals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from waiaas_migrate.errors import SchemaFileError
from waiaas_migrate.files.enum_sources import expressions as e
from waiaas_migrate.files.problem_report import Origin

#: A tree-sitter node. The type is Any because tree-sitter is imported only if a project has TypeScript.
Node = Any

#: The endings that an import can leave out.
_ENDINGS = ("", ".ts", ".tsx", ".mts", ".cts", ".d.ts", ".js", ".mjs")
_INDEXES = ("/index.ts", "/index.tsx", "/index.d.ts", "/index.js")
#: The endings of source files by the ending of the compiled file, because an import can name the compiled file.
_COMPILED = {".js": (".ts", ".tsx", ".d.ts"), ".mjs": (".mts", ".d.mts"), ".cjs": (".cts", ".d.cts")}
#: Expressions that have the same value as their first child, such as ``x as const``.
_TYPED = frozenset({"as_expression", "satisfies_expression", "parenthesized_expression", "non_null_expression"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}


def parse_typescript(text: str, path: Path, file: str) -> e.Module:
    """Return the names in a TypeScript file.

    Raises:
        SchemaFileError: tree-sitter isn't installed, or the values are nested too deep.
    """
    try:
        import tree_sitter
        import tree_sitter_typescript as grammar
    except ImportError:
        fix = "Run `python -m pip install 'waiaas-migrate[typescript]'`."
        problem = Origin(file=file).problem("reading TypeScript needs tree-sitter.", fix)
        raise SchemaFileError([problem]) from None
    language = grammar.language_tsx() if path.suffix == ".tsx" else grammar.language_typescript()
    root = tree_sitter.Parser(tree_sitter.Language(language)).parse(text.encode()).root_node
    reader = _FileReader()
    try:
        for statement in root.named_children:
            reader.read(statement)
    except RecursionError:
        problem = Origin(file=file).problem("values are nested too deep.", "Write the enums in a file of their own.")
        raise SchemaFileError([problem]) from None
    return e.Module(
        path=path,
        file=file,
        names=dict(sorted((reader.types | reader.values).items(), key=lambda one: one[1].at)),
        exported=frozenset(reader.exported),
        types=frozenset(reader.types.keys() - reader.values.keys()),
        stars=tuple(reader.stars),
        syntax_error=_position(_first_error(root)) if root.has_error else None,
    )


def locate_typescript(module: str, importer: Path, _root: Path) -> Path | None:
    """Return the file of a relative import; None for a package."""
    if not module.startswith("."):
        return None
    path = importer.parent / module
    compiled = [path.with_suffix(ending) for ending in _COMPILED.get(path.suffix, ())]
    candidates = (*compiled, *(path.parent / f"{path.name}{ending}" for ending in _ENDINGS + _INDEXES))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


class _FileReader:
    """Reads the statements of one file. In TypeScript, a value and a type can have the same name."""

    def __init__(self) -> None:
        self.values: dict[str, e.Expression] = {}
        self.types: dict[str, e.Expression] = {}
        self.exported: set[str] = set()
        self.stars: list[e.Import] = []

    def read(self, statement: Node) -> list[str]:
        """Read a statement at the top level, and return the names that it declares."""
        match statement.type:
            case "export_statement":
                self._export(statement)
            case "import_statement":
                self._import(statement)
            case "ambient_declaration":
                return [name for child in statement.named_children for name in self.read(child)]
            case "lexical_declaration" | "variable_declaration":
                return self._declare(statement)
            case "enum_declaration":
                name = _text(statement.child_by_field_name("name"))
                # TypeScript merges several declarations of an enum, which this reader doesn't.
                is_second, at = name in self.values, _position(statement)
                self.values[name] = e.Computed(at, "it is declared twice") if is_second else _checked(statement, _enum)
                return [name]
            case "type_alias_declaration":
                name = _text(statement.child_by_field_name("name"))
                self.types[name] = _checked(statement.child_by_field_name("value"), _type)
                return [name]
            case _:
                pass
        return []

    def _declare(self, statement: Node) -> list[str]:
        """Record the names of a ``const``, ``let`` or ``var`` statement, and return them."""
        is_constant = statement.children[0].type == "const"
        names: list[str] = []
        for one in statement.named_children:
            name, value = one.child_by_field_name("name"), one.child_by_field_name("value")
            if one.type != "variable_declarator" or name.type != "identifier":
                continue
            names.append(_text(name))
            if is_constant and value is not None:
                self.values[names[-1]] = _checked(value, _expression)
            else:
                problem = "" if is_constant else "it can change, since it is not a `const`"
                self.values[names[-1]] = e.Computed(_position(one), problem)
        return names

    def _export(self, statement: Node) -> None:
        source = statement.child_by_field_name("source")
        module, at = _string(source) if source is not None else "", _position(statement)
        declaration, value = statement.child_by_field_name("declaration"), statement.child_by_field_name("value")
        if declaration is not None:
            self.exported.update(self.read(declaration))
        elif value is not None:
            self.values["default"] = _checked(value, _expression)
        for clause in statement.named_children:
            if clause.type == "export_clause":
                self._export_names(clause, module)
            elif clause.type == "namespace_export":
                self.values[_text(clause.named_children[0])] = e.Import(module, "", at)
        if module and any(child.type == "*" for child in statement.children):
            self.stars.append(e.Import(module, "", at))

    def _export_names(self, clause: Node, module: str) -> None:
        for name, alias, at in _specifiers(clause):
            self.exported.add(alias)
            if module:
                self.values[alias] = e.Import(module, name, at)
            elif alias != name:
                self.values[alias] = e.Name((name,), at)

    def _import(self, statement: Node) -> None:
        source = statement.child_by_field_name("source")
        clause = next((child for child in statement.named_children if child.type == "import_clause"), None)
        if source is None or clause is None:
            return
        module, at = _string(source), _position(statement)
        for part in clause.named_children:
            if part.type == "identifier":
                self.values[_text(part)] = e.Import(module, "default", at)
            elif part.type == "namespace_import":
                self.values[_text(part.named_children[0])] = e.Import(module, "", at)
            elif part.type == "named_imports":
                for name, alias, place in _specifiers(part):
                    self.values[alias] = e.Import(module, name, place)


def _specifiers(clause: Node) -> Iterator[tuple[str, str, e.Position]]:
    """Yield each name of an import or export, its new name after ``as``, and its place."""
    for one in clause.named_children:
        if (name := one.child_by_field_name("name")) is not None:
            yield _text(name), _text(one.child_by_field_name("alias") or name), _position(one)


def _checked(node: Node, read: Callable[[Node], e.Expression]) -> e.Expression:
    """Return the expression that ``read`` returns for ``node``, unless the node has a syntax error."""
    return e.Computed(_position(_first_error(node)), "there is a syntax error here") if node.has_error else read(node)


def _first_error(node: Node) -> Node:
    """Return the innermost node of the first syntax error in ``node``, which must contain an error."""
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    return node


def _expression(node: Node) -> e.Expression:
    at = _position(node)
    while node.type in _TYPED or node.type == "type_assertion":
        node = node.named_children[-1 if node.type == "type_assertion" else 0]
    match node.type:
        case "array":
            return e.Items(tuple(_element(child) for child in _without_comments(node)), at)
        case "object":
            return e.Members(tuple(_property(child) for child in _without_comments(node)), at)
        case "string" | "number" | "unary_expression" | "template_string":
            return _literal(node)
        case "identifier" | "member_expression" | "subscript_expression":
            return _reference(node)
        case "call_expression":
            return _call(node)
        case _:
            return e.Computed(at)


def _element(node: Node) -> e.Expression:
    if node.type == "spread_element":
        return e.Spread(_expression(node.named_children[0]), _position(node))
    return _expression(node)


def _property(node: Node) -> tuple[str, e.Expression]:
    """Return the name and the value of an object's property; the name of a spread is empty."""
    at = _position(node)
    match node.type:
        case "pair":
            key = node.child_by_field_name("key")
            if key.type == "computed_property_name":
                return _text(key), e.Computed(at)
            return _string(key) if key.type == "string" else _text(key), _expression(node.child_by_field_name("value"))
        case "shorthand_property_identifier":
            return _text(node), e.Name((_text(node),), at)
        case "spread_element":
            return "", e.Spread(_expression(node.named_children[0]), at)
        case _:
            return _text(node), e.Computed(at)


def _call(node: Node) -> e.Expression:
    """Return the values of ``Object.freeze(…)`` or ``Object.values(…)``."""
    at = _position(node)
    function, list_node = _text(node.child_by_field_name("function")), node.child_by_field_name("arguments")
    arguments = _without_comments(list_node) if list_node.type == "arguments" else []
    if len(arguments) != 1 or function not in ("Object.freeze", "Object.values"):
        return e.Computed(at)
    inner = _expression(arguments[0])
    return inner if function == "Object.freeze" else e.Items((e.Spread(inner, at),), at)


def _reference(node: Node) -> e.Expression:
    """Return a name, such as ``A``, ``A.B`` or ``A['B']``."""
    at, parts = _position(node), list[str]()
    while node.type in ("member_expression", "subscript_expression"):
        inner = node.child_by_field_name("property") or node.child_by_field_name("index")
        if node.type == "subscript_expression" and inner.type != "string":
            return e.Computed(at)
        parts.insert(0, _string(inner) if inner.type == "string" else _text(inner))
        node = node.child_by_field_name("object")
    return e.Name((_text(node), *parts), at) if node.type == "identifier" else e.Computed(at)


def _enum(node: Node) -> e.Expression:
    entries: list[tuple[str, e.Expression]] = []
    next_number: int | None = 0
    for child in _without_comments(node.child_by_field_name("body")):
        key = child.child_by_field_name("name") if child.type == "enum_assignment" else child
        name = _string(key) if key.type == "string" else _text(key)
        value = _expression(child.child_by_field_name("value")) if child.type == "enum_assignment" else None
        if value is None:
            value = e.Computed(_position(child)) if next_number is None else e.Constant(next_number, _position(child))
        if isinstance(value, e.Name) and len(value.parts) == 1 and value.parts[0] in dict(entries):
            value = dict(entries)[value.parts[0]]  # refers to a member of the same enum
        is_number = isinstance(value, e.Constant) and isinstance(value.value, int)
        next_number = value.value + 1 if is_number else None  # type: ignore[union-attr, operator]
        entries.append((name, value))
    return e.Members(tuple(entries), _position(node))


def _type(node: Node) -> e.Expression:
    match tuple(_union(node)):
        case (e.Spread(of=e.Name() as alias),):
            return alias
        case items:
            return e.Items(items, _position(node))


def _union(node: Node) -> Iterator[e.Expression]:
    """Yield the members of a union, which can be literals or other types."""
    waiting = [node]  # not recursive, because a union of many members is a deep tree
    while waiting:
        part = waiting.pop()
        at, inner = _position(part), _without_comments(part)
        match part.type:
            case "union_type" | "parenthesized_type" | "literal_type":
                waiting += reversed(inner)
            case "string" | "number" | "unary_expression":
                yield _literal(part)
            case "type_identifier":
                yield e.Spread(e.Name((_text(part),), at), at)
            case "template_literal_type" if len(inner) == 1 and inner[0].type == "template_type":
                waiting += inner[0].named_children  # `${E}` is a union of the values of E
            case "lookup_type" if (name := _indexed_value(inner)) is not None:
                yield e.Spread(name, at)
            case _:
                yield e.Computed(at)


def _indexed_value(parts: list[Node]) -> e.Expression | None:
    """Return ``X`` of ``(typeof X)[number]`` or ``(typeof X)[keyof typeof X]``; None for other types."""
    indexed, index = parts
    while indexed.type == "parenthesized_type":
        indexed = indexed.named_children[0]
    if indexed.type != "type_query" or not (_text(index) == "number" or index.type == "index_type_query"):
        return None
    return _reference(indexed.named_children[0])


def _literal(node: Node) -> e.Expression:
    at, text = _position(node), _text(node)
    is_template = node.type == "template_string"
    if node.type == "string" or (is_template and all(c.type != "template_substitution" for c in node.children)):
        return e.Constant(_string(node), at)
    try:
        return e.Constant(int(text.replace("_", "").replace(" ", ""), 0), at)
    except ValueError:
        return e.Computed(at)


def _string(node: Node) -> str:
    """Return the text of a string without its quotes, with its escapes decoded."""
    parts = [
        _text(child) if child.type != "escape_sequence" else _escaped(_text(child)[1:]) for child in node.named_children
    ]
    # A surrogate pair is written as two escapes; join its halves.
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _escaped(text: str) -> str:
    if re.fullmatch(r"u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}", text):
        number = int(text[1:].strip("{}"), 16)
        return chr(number) if number <= 0x10FFFF else text
    return _ESCAPES.get(text, text)


def _without_comments(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _text(node: Node) -> str:
    return str(node.text.decode()) if node is not None else ""


def _position(node: Node) -> e.Position:
    row, column = node.start_point
    return row + 1, column + 1
