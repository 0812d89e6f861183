"""Rules about the statements of hand-written migrations."""

from __future__ import annotations

from collections.abc import Iterator

from waiaas_migrate.commands.findings import Severity
from waiaas_migrate.commands.lint.rule import Found, Linted, path_to, rule
from waiaas_migrate.schema.names import fold
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading.grammar import Kind
from waiaas_migrate.sqlite.reading.token_reader import TokenReader


@rule(
    Severity.ERROR,
    good="DELETE FROM sessions WHERE expires_at < unixepoch();",
    mistakes={" WHERE expires_at < unixepoch()": ""},
)
def delete_without_where(linted: Linted) -> Iterator[Found]:
    """A migration deletes every row of a table.

    `DELETE` without `WHERE` is rarely intended in a migration. The schema is the same before and after, so nothing else
    shows that all rows are gone.

    Write the condition. If you mean every row, write `WHERE true`, and say why in a comment.
    """
    reader = TokenReader(linted.statement)
    if reader.accept("DELETE", "FROM"):
        table = reader.read_name()
        if not any(token.word in ("WHERE", "LIMIT") for token in reader.read_rest()):
            fix = "Write a WHERE. To delete every row, write `WHERE true`."
            yield Found(path_to(table), f"deletes every row of {table}.", fix)


@rule(
    Severity.ERROR,
    good="UPDATE sessions SET status = 'closed';",
    mistakes={"'closed'": '"closed"'},
)
def double_quoted_value(linted: Linted) -> Iterator[Found]:
    """A migration has a string literal in double quotes.

    In SQL, double quotes are for names. SQLite reads `"open"` as text only if nothing has that name. So if a migration
    misspells the name of a column, it writes the misspelled name into every row. See [Double-quoted string literals are
    accepted](https://www.sqlite.org/quirks.html#double_quoted_string_literals_are_accepted).

    Write text in single quotes, and correct a misspelled name.
    """
    tokens = linted.statement
    # `double_quoted_string` finds such text in CREATE statements.
    if not tokens or tokens[0].word not in ("INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"):
        return
    # Next to these words, a word in double quotes is certainly a name.
    before_names, after_names = ("AS", ".", "COLLATE", "INTO"), ("AS", ".", "(")
    words = ["", *(token.word for token in tokens), ""]
    statement_names = {
        fold(token.name)
        for token, before, after in zip(tokens, words, words[2:], strict=False)
        if before in before_names or after in after_names
    }
    names = {*linted.names, *statement_names}
    for token in tokens:
        if token.kind is Kind.NAME and token.text[0] == '"' and fold(token.name) not in names:
            literal = quote_literal(token.name)
            what = f"{token.text} names nothing here, so SQLite reads it as the text {literal}."
            yield Found(("statement",), what, f"Correct the name. If you mean text, write {literal}.")
