"""Read the tokens of a statement one after another."""

from __future__ import annotations

from collections.abc import Sequence

from waiaas_migrate.sqlite.reading.grammar import Kind, SqlError, Token


class TokenReader:
    """A reader of tokens from left to right; ``position`` is the index of the next token.

    Words are compared in upper case. A comment is a token too, but matches no word.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        """Return the word or symbol ``ahead`` tokens further on; empty for another token, or at the end."""
        at = self.position + ahead
        return self._tokens[at].word if at < len(self._tokens) else ""

    @property
    def is_at_end(self) -> bool:
        """Whether all tokens have been read."""
        return self.position >= len(self._tokens)

    def next(self) -> Token:
        """Read and return the next token."""
        if self.is_at_end:
            raise SqlError("the statement ends too early")
        self.position += 1
        return self._tokens[self.position - 1]

    def accept(self, *words: str) -> bool:
        """Read ``words`` if they come next; return whether they did."""
        if any(self.peek(ahead) != word for ahead, word in enumerate(words)):
            return False
        self.position += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Read ``words``; raise SqlError if anything else comes next."""
        if not self.accept(*words):
            found = "the end" if self.is_at_end else repr(self._tokens[self.position].text)
            raise SqlError(f"expected {' '.join(words)}, found {found}")

    def accept_any(self, *words: str) -> str | None:
        """Read and return the next word if it is one of ``words``; otherwise read nothing."""
        return self.next().word if self.peek() in words else None

    def read_name(self) -> str:
        """Read a name: with or without quotes, or a string, which SQLite accepts as a name."""
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
        """Read ``( name, name … )``; return the names."""
        return tuple(TokenReader(part).read_name() for part in split_commas(self.read_parentheses()))

    def read_rest(self) -> tuple[Token, ...]:
        """Read and return all remaining tokens."""
        start, self.position = self.position, len(self._tokens)
        return tuple(self._tokens[start:])


def split_commas(tokens: Sequence[Token]) -> list[tuple[Token, ...]]:
    """Split ``tokens`` at the commas outside parentheses; raise SqlError if a part is empty."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.word == "(") - (token.word == ")")
        if token.word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    if not all(parts):
        raise SqlError("a list is empty, or has nothing before or after a comma")
    return [tuple(part) for part in parts]
