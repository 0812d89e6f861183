"""A migration has a string literal in double quotes.

In SQL, double quotes are for names. SQLite reads `"open"` as text only if nothing has that name, so after a typo in the
name of a column, a migration writes the name of the column into every row. See
[Double-quoted string literals are accepted](https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted).

Write text in single quotes, and correct a misspelled name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading.grammar import Kind, Token

SEVERITY = Severity.ERROR

BAD = 'UPDATE sessions SET status = "closed";\n'

GOOD = "UPDATE sessions SET status = 'closed';\n"

_WRITING = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"})
#: Beside these words, a word in double quotes is a name.
_BEFORE_NAMES, _AFTER_NAMES = frozenset({"AS", ".", "COLLATE", "INTO"}), frozenset({"AS", ".", "("})


def find_in_statement(tokens: Sequence[Token], names: Collection[str]) -> Iterator[Found]:
    """Yield each such text in a statement that changes rows; other statements show it in the schema."""
    if not tokens or tokens[0].word not in _WRITING:
        return
    words = ["", *(token.word for token in tokens), ""]
    own = {
        fold(token.name)
        for token, before, after in zip(tokens, words, words[2:], strict=False)
        if before in _BEFORE_NAMES or after in _AFTER_NAMES
    }
    for token in tokens:
        if token.kind is Kind.NAME and token.text[0] == '"' and fold(token.name) not in {*names, *own}:
            literal = quote_literal(token.name)
            what = f"{token.text} names nothing here, so SQLite reads it as the text {literal}."
            yield Found(("statement",), what, f"Correct the name. If you mean text, write {literal}.")
