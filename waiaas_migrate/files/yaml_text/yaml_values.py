"""Typed access to the values of a YAML tree: what does not fit becomes a problem at its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from waiaas_migrate.files.problem_report import Origin, Report, listed, shown, suggestion
from waiaas_migrate.files.yaml_text.scalars import Scalar
from waiaas_migrate.files.yaml_text.yaml_reader import MappingNode, Node, ScalarNode, SequenceNode, join

T = TypeVar("T")

#: What YAML 1.1 took for booleans, and YAML 1.2 takes for text.
_OLD_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_NOTHING: Mapping[str, str] = {}


class Value(NamedTuple):
    """A value in the file; ``key`` is its key, or itself in a list, and ``within`` what it is ``step`` of.

    The methods return None where the value is not what was asked for, after noting that in the report.
    """

    node: Node
    key: Node
    file: str
    report: Report
    within: Value | None = None
    step: str | int = ""

    @property
    def path(self) -> str:
        """The key path, which only messages need."""
        if self.within is None:
            return ""
        above = self.within.path
        return join(above, self.step) if isinstance(self.step, str) else f"{above}[{self.step}]"

    @property
    def origin(self) -> Origin:
        """The place of the value itself."""
        return self._origin(self.node)

    @property
    def key_origin(self) -> Origin:
        """The place of the key that the value belongs to."""
        return self._origin(self.key)

    def _origin(self, node: Node) -> Origin:
        line, column = node.position
        return Origin(file=self.file, line=line, column=column, path=self.path)

    def problem(self, what: str, fix: str = "") -> None:
        """Note a problem with the value itself."""
        self.report.add(self.origin, what, fix)

    def key_problem(self, what: str, fix: str = "") -> None:
        """Note a problem with the key, or with all that stands below it."""
        self.report.add(self.key_origin, what, fix)

    @property
    def scalar(self) -> Scalar:
        """The single value; None for null, and for a list or a mapping."""
        return self.node.value if isinstance(self.node, ScalarNode) else None

    @property
    def is_null(self) -> bool:
        """Whether this is null, or nothing at all."""
        return isinstance(self.node, ScalarNode) and self.node.value is None

    @property
    def is_mapping(self) -> bool:
        """Whether this is a mapping."""
        return isinstance(self.node, MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return isinstance(self.node, SequenceNode)

    def text(self, example: str = "") -> str | None:
        """The value as text that is not empty; ``example`` shows one."""
        if isinstance(self.node, ScalarNode) and isinstance(self.node.value, str):
            if self.node.value.strip():
                return self.node.value
            self.problem("this text is empty.", _write(example))
            return None
        if isinstance(self.node, ScalarNode) and self.node.value is not None:
            self.problem(f"this must be text, but is {described(self.node)}.", f'Put it in quotes: "{self.node.text}".')
        else:
            self.problem(f"this must be text, but is {described(self.node)}.", _write(example))
        return None

    def sql(self) -> str | None:
        """SQL as text; numbers, true, false and null are SQL as they stand."""
        if isinstance(self.node, ScalarNode) and not isinstance(self.node.value, str) and self.node.text:
            return self.node.text
        return self.text("an SQL expression")

    def flag(self) -> bool | None:
        """The value as true or false."""
        if isinstance(self.scalar, bool):
            return self.scalar
        word = _OLD_BOOLEANS.get(str(self.scalar).lower())
        fix = f"Write `{word}`." if word else "Write `true` or `false`."
        self.problem(f"this must be true or false, but is {described(self.node)}.", fix)
        return None

    def word(self, words: Mapping[str, T]) -> T | None:
        """What one of ``words`` stands for; case, spaces and underscores between words do not count."""
        text = self.scalar
        name = " ".join(text.replace("_", " ").lower().split()) if isinstance(text, str) else ""
        if name in words:
            return words[name]
        known = f"Write one of {listed(words)}."
        self.problem(f"this must be one of a few words, but is {described(self.node)}.", suggestion(name, words, known))
        return None

    def items(self, example: str) -> list[Value]:
        """The values of a list; empty, after noting it, where this is none. Null is an empty list."""
        if isinstance(self.node, SequenceNode):
            return [Value(item, item, self.file, self.report, self, at) for at, item in enumerate(self.node.items)]
        if not self.is_null:
            self.problem(f"this must be a list, but is {described(self.node)}.", _write(example))
        return []

    def entries(self, example: str) -> list[tuple[str, Value]]:
        """The keys of a mapping with their values, in order; empty, after noting it, where this is none."""
        pairs = self.scalar_entries(example)
        found = [(key, value) for key, value in pairs if isinstance(key, str)]
        if len(found) < len(pairs):
            _note_other_keys(pairs)
        return found

    def scalar_entries(self, example: str) -> list[tuple[Scalar, Value]]:
        """Like :meth:`entries`, where keys may be numbers."""
        if not isinstance(self.node, MappingNode):
            if not self.is_null:
                self.problem(f"this must be a mapping, but is {described(self.node)}.", _write(example))
            return []
        file, report = self.file, self.report
        return [(key.value, Value(value, key, file, report, self, key.text)) for key, value in self.node.entries]

    def fields(self, known: Sequence[str], example: str, instead: Mapping[str, str] = _NOTHING) -> dict[str, Value]:
        """Return the values of a mapping by key, and note unknown keys.

        Args:
            known: The keys that there are.
            example: What to write if this is no mapping.
            instead: What to write instead of keys that other tools have; other unknown keys get the closest known one.
        """
        pairs = self.scalar_entries(example)
        found = {key: value for key, value in pairs if isinstance(key, str) and key in known}
        if len(found) < len(pairs):
            _note_other_keys(pairs, known, instead)
        return found


def _note_other_keys(
    pairs: Iterable[tuple[Scalar, Value]], known: Sequence[str] | None = None, instead: Mapping[str, str] = _NOTHING
) -> None:
    """Note the keys that are no text, and those that are not ``known``, where only some are."""
    for key, value in pairs:
        text = "null" if key is None else str(key).lower()
        if text in instead and (known is None or key not in known):
            value.key_problem(f"unknown key `{shown(text)}`.", instead[text])
        elif not isinstance(key, str):
            # A key such as `1`, `true` or `null` that was meant as a name.
            value.key_problem(f"the key is {_described(key, text)}, not text.", f'Put it in quotes: "{text}".')
        elif known is not None and key not in known:
            otherwise = f"Known here: {listed(known)}."
            value.key_problem(f"unknown key `{shown(key)}`.", suggestion(key, known, otherwise))


def described(node: Node) -> str:
    """What a node is, for a message."""
    if isinstance(node, SequenceNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    return _described(node.value, node.text)


def _described(value: Scalar, text: str) -> str:
    match value:
        case None:
            return "empty" if not text else f"`{text}`"
        case bool():
            return f"`{text}`"
        case int() | float():
            return f"the number {shown(text)}"
        case _:
            return f"the text `{shown(text)}`" if text else "an empty text"


def _write(example: str) -> str:
    return f"Write {example}." if example else ""
