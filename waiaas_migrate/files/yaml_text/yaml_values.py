"""Read typed values from a YAML tree, and report values of a wrong type."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from waiaas_migrate.files.problem_report import Origin, Report, listed, shown, suggestion
from waiaas_migrate.files.yaml_text.scalars import Scalar
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, SequenceNode, append_key, position

T = TypeVar("T")

#: Words that are booleans in YAML 1.1 but text in YAML 1.2, with the boolean to suggest.
_OLD_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


class Value(NamedTuple):
    """A value in a YAML file.

    Methods such as :meth:`text` return a value of one type. If it has another type, they report that as a problem and
    return None, or an empty list or dict.

    ``key`` is the node of the key that holds the value; in a list, the node of the value. ``within`` is the mapping or
    list that contains the value at ``step``, a key or an index.
    """

    node: Node
    key: Node
    file: str
    report: Report
    within: Value | None = None
    step: str | int = ""

    @property
    def path(self) -> str:
        """Return the key path of the value, for messages."""
        if self.within is None:
            return ""
        above = self.within.path
        return append_key(above, self.step) if isinstance(self.step, str) else f"{above}[{self.step}]"

    @property
    def origin(self) -> Origin:
        """Return the place of the value itself."""
        return self._origin(self.node)

    @property
    def key_origin(self) -> Origin:
        """Return the place of the key that holds the value."""
        return self._origin(self.key)

    def _origin(self, node: Node) -> Origin:
        line, column = position(node)
        return Origin(file=self.file, line=line, column=column, path=self.path)

    def problem(self, what: str, fix: str = "") -> None:
        """Report a problem with the value itself."""
        self.report.add(self.origin, what, fix)

    def key_problem(self, what: str, fix: str = "") -> None:
        """Report a problem with the key, or with the value as a whole."""
        self.report.add(self.key_origin, what, fix)

    def _unexpected(self, wanted: str, fix: str) -> None:
        self.problem(f"expected {wanted}, found {described(self.node)}.", fix)

    @property
    def scalar(self) -> Scalar:
        """Return the scalar, without a check of its type; None for a list or a mapping."""
        return self.node.value if isinstance(self.node, ScalarNode) else None

    @property
    def is_null(self) -> bool:
        """Return whether the value is null or left out, as in ``key:``."""
        return isinstance(self.node, ScalarNode) and self.node.value is None

    @property
    def is_mapping(self) -> bool:
        """Return whether the value is a mapping."""
        return isinstance(self.node, MappingNode)

    @property
    def is_list(self) -> bool:
        """Return whether the value is a list."""
        return isinstance(self.node, SequenceNode)

    def text(self, example: str = "") -> str | None:
        """Return the value as nonempty text; ``example`` is for the message."""
        scalar = self.scalar
        if isinstance(scalar, str) and scalar.strip():
            return scalar
        if isinstance(scalar, str):
            self.problem("the text is empty.", _fix_with(example))
        elif isinstance(self.node, ScalarNode) and scalar is not None:
            self._unexpected("text", f'Put it in quotes: "{self.node.text}".')
        else:
            self._unexpected("text", _fix_with(example))
        return None

    def sql(self) -> str | None:
        """Return the value as SQL, in which numbers, true and null look as in YAML."""
        if isinstance(self.node, ScalarNode) and not isinstance(self.node.value, str) and self.node.text:
            return self.node.text
        return self.text("an SQL expression")

    def flag(self) -> bool | None:
        """Return the value as true or false."""
        if isinstance(self.scalar, bool):
            return self.scalar
        word = _OLD_BOOLEANS.get(str(self.scalar).lower())
        self._unexpected("true or false", f"Write `{word}`." if word else "Write `true` or `false`.")
        return None

    def word(self, words: Mapping[str, T]) -> T | None:
        """Look a keyword up in ``words``; ignore case, and read underscores as spaces."""
        text = self.scalar
        name = " ".join(text.replace("_", " ").lower().split()) if isinstance(text, str) else ""
        if name in words:
            return words[name]
        self._unexpected("a keyword", suggestion(name, words, f"Write one of {listed(words)}."))
        return None

    def items(self, example: str) -> list[Value]:
        """Return the values in a list; null is an empty list."""
        if isinstance(self.node, SequenceNode):
            return [Value(item, item, self.file, self.report, self, at) for at, item in enumerate(self.node.items)]
        if not self.is_null:
            self._unexpected("a list", _fix_with(example))
        return []

    def scalar_entries(self, example: str) -> list[tuple[Scalar, Value]]:
        """Return the keys and values of a mapping, in order; null is an empty mapping."""
        if isinstance(self.node, MappingNode):
            file, report = self.file, self.report
            return [(key.value, Value(value, key, file, report, self, key.text)) for key, value in self.node.entries]
        if not self.is_null:
            self._unexpected("a mapping", _fix_with(example))
        return []

    def entries(self, example: str) -> list[tuple[str, Value]]:
        """Return the keys and values of a mapping; report keys that are not text."""
        pairs = self.scalar_entries(example)
        found = [(key, value) for key, value in pairs if isinstance(key, str)]
        if len(found) < len(pairs):
            _report_invalid_keys(pairs, None, {})
        return found

    def fields(self, known: Collection[str], example: str, instead: Mapping[str, str]) -> dict[str, Value]:
        """Return the values of a mapping by key; report unknown keys.

        ``instead`` has keys that other tools use, each with the fix to suggest.
        """
        pairs = self.scalar_entries(example)
        found = {key: value for key, value in pairs if isinstance(key, str) and key in known}
        if len(found) < len(pairs):
            _report_invalid_keys(pairs, known, instead)
        return found


def _report_invalid_keys(
    pairs: Iterable[tuple[Scalar, Value]], known: Collection[str] | None, instead: Mapping[str, str]
) -> None:
    """Report keys that aren't text and, if ``known`` is given, keys that aren't known."""
    for key, value in pairs:
        text = "null" if key is None else str(key).lower()
        if text in instead and (known is None or key not in known):
            value.key_problem(f"unknown key `{shown(text)}`.", instead[text])
        elif not isinstance(key, str):
            # A key such as `1`, `true` or `null`, probably meant as text.
            value.key_problem(f"the key is {described(value.key)}, not text.", f'Put it in quotes: "{text}".')
        elif known is not None and key not in known:
            value.key_problem(f"unknown key `{shown(key)}`.", suggestion(key, known, f"Known keys: {listed(known)}."))


def described(node: Node) -> str:
    """Return a description of a node for a message."""
    match node:
        case SequenceNode():
            return "a list"
        case MappingNode():
            return "a mapping"
        case ScalarNode(value=None, text=""):
            return "nothing"
        case ScalarNode(value=None | bool()):
            return f"`{node.text}`"
        case ScalarNode(value=int() | float()):
            return f"the number {shown(node.text)}"
        case ScalarNode():
            return f"the text `{shown(node.text)}`" if node.text else "an empty text"


def _fix_with(example: str) -> str:
    return f"Write {example}." if example else ""
