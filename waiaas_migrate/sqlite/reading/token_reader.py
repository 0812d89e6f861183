"""Walk along the tokens of one statement."""

from __future__ import annotations

from collections.abc import Sequence

from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token


class TokenReader:
    """A position among tokens, which moves as tokens are read.

    A comment counts as a token, but never matches a word.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        """Return the upper-case word or symbol, ``ahead`` tokens from here; empty for other tokens and at the end."""
        at = self.position + ahead
        return self._tokens[at].word if at < len(self._tokens) else ""

    @property
    def is_at_end(self) -> bool:
        """Whether all tokens were read."""
        return self.position >= len(self._tokens)

    def next(self) -> Token:
        """Read one token."""
        if self.is_at_end:
            raise SqlError("the statement ends too early")
        self.position += 1
        return self._tokens[self.position - 1]

    def accept(self, *words: str) -> bool:
        """Read ``words`` if they are next; return whether they were."""
        if any(self.peek(ahead) != word for ahead, word in enumerate(words)):
            return False
        self.position += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Read ``words``, which must be next."""
        if not self.accept(*words):
            found = "the end" if self.is_at_end else repr(self._tokens[self.position].text)
            raise SqlError(f"expected {' '.join(words)}, found {found}")

    def accept_any(self, *words: str) -> str | None:
        """Read the next token if it is one of ``words``."""
        return self.next().word if self.peek() in words else None

    def read_name(self) -> str:
        """Read a name: bare, quoted, or a string that SQLite accepts as a name."""
        token = self.next()
        if token.kind in (Kind.SYMBOL, Kind.VALUE):
            raise SqlError(f"expected a name, found {token.text!r}")
        return token.name

    def read_parentheses(self) -> tuple[Token, ...]:
        """Read ``( … )``; return the tokens inside."""
        self.expect("(")
        start, depth = self.position, 1
        while depth:
            word = self.next().word
            depth += (word == "(") - (word == ")")
        return tuple(self._tokens[start : self.position - 1])

    def read_names(self) -> tuple[str, ...]:
        """Read ``( name, name … )``."""
        return tuple(TokenReader(part).read_name() for part in split_commas(self.read_parentheses()))

    def read_rest(self) -> tuple[Token, ...]:
        """Read all tokens that are left."""
        start, self.position = self.position, len(self._tokens)
        return tuple(self._tokens[start:])


def split_commas(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """Split ``tokens`` at the commas outside parentheses; an empty part is an error."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    if not all(parts):
        raise SqlError("a list has nothing between two commas")
    return [tuple(part) for part in parts]
