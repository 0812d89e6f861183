"""What the parts of a schema share when they are written as YAML: names, expressions, terms and references."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from waiaas_migrate.errors import UnsupportedError
from waiaas_migrate.files.schema_file.value_kinds import DEFERRALS, name_problem, object_name_problem
from waiaas_migrate.files.yaml_text.yaml_writer import Data
from waiaas_migrate.schema.model import Conflict, Deferral, ForeignKey, IndexPart, SqlText
from waiaas_migrate.sqlite.reading import ddl
from waiaas_migrate.sqlite.reading.grammar import SqlError

_DEFERRAL_WORDS: dict[Deferral, str | bool] = {deferral: word for word, deferral in DEFERRALS.items()}
_DEFERRAL_WORDS |= {Deferral.DEFERRABLE: True, Deferral.NOT_DEFERRABLE: False}


def unsupported(where: str, why: str) -> UnsupportedError:
    """The error for something that schema.yaml cannot hold."""
    return UnsupportedError(f"{where} cannot be written to schema.yaml: {why}")


def written_name(name: str, where: str) -> str:
    """The name of a column, a constraint or a collation.

    Raises:
        UnsupportedError: where it is one that schema.yaml does not take.
    """
    if problem := name_problem(name):
        raise unsupported(f"{where}: the name {name!r}", problem)
    return name


def written_object_name(name: str, kind: str) -> str:
    """The name of a table, an index, a view or a trigger.

    Raises:
        UnsupportedError: where it is one that schema.yaml does not take.
    """
    if problem := object_name_problem(name):
        raise unsupported(f"{kind} {name!r}", problem)
    return name


def written_expression(expression: SqlText, columns: Collection[str], where: str) -> str:
    """The text of an expression.

    Raises:
        UnsupportedError: where it could not be read again.
    """
    try:
        ddl.expression(expression.sql, columns)
    except SqlError as error:
        raise unsupported(f"{where}: {expression.sql}", f"it is no expression to this grammar: {error}.") from None
    return expression.sql


def written_options(*, on_conflict: Conflict | None = None, name: str | None = None, where: str) -> dict[str, Data]:
    """The conflict clause and the name of a constraint, as far as it has them."""
    options: dict[str, Data] = {}
    if on_conflict is not None:
        options["on_conflict"] = on_conflict.lower()
    if name is not None:
        options["name"] = written_name(name, where)
    return options


def written_parts(parts: Sequence[IndexPart], columns: Collection[str], where: str) -> list[Data]:
    """The terms of a key or an index; ASC is left out where none but columns are named, each by its name alone."""
    says_order = any(part.expression is not None for part in parts)
    return [_part(part, columns, where, says_order=says_order) for part in parts]


def _part(part: IndexPart, columns: Collection[str], where: str, *, says_order: bool) -> Data:
    fields: dict[str, Data] = {}
    if part.column is not None:
        fields["column"] = written_name(part.column, where)
    elif part.expression is not None:
        fields["expression"] = written_expression(part.expression, columns, where)
    if part.collation is not None:
        fields["collate"] = written_name(part.collation, where)
    if part.descending or (part.ascending and says_order):
        fields["order"] = "desc" if part.descending else "asc"
    return part.column if fields.keys() == {"column"} else fields


def written_parent(key: ForeignKey, *, external: bool, where: str) -> dict[str, Data]:
    """What a foreign key refers to, as a mapping; ``external`` where that is not in the file, or not unique there."""
    fields: dict[str, Data] = {"table": written_name(key.table, where)}
    targets: list[Data] = [written_name(target, where) for target in key.targets]
    if len(targets) == 1:
        fields["column"] = targets[0]
    elif targets:
        fields["columns"] = targets
    if external:
        fields["external"] = True
    return fields


def written_reference_options(key: ForeignKey, where: str) -> dict[str, Data]:
    """All else about a foreign key."""
    fields: dict[str, Data] = {}
    if key.on_delete is not None:
        fields["on_delete"] = key.on_delete.lower()
    if key.on_update is not None:
        fields["on_update"] = key.on_update.lower()
    if key.match is not None:
        fields["match"] = written_name(key.match, where)
    if key.deferral is not None:
        fields["deferrable"] = _DEFERRAL_WORDS[key.deferral]
    if key.name is not None:
        fields["name"] = written_name(key.name, where)
    return fields


def shortened_reference(fields: dict[str, Data]) -> Data:
    """``fields`` as ``table.column`` or ``table``, where they say no more than that."""
    table, column = fields["table"], fields.get("column", "")
    if not isinstance(table, str) or not isinstance(column, str) or "." in column:
        return fields
    if fields.keys() == {"table"} and "." not in table:
        return table
    return f"{table}.{column}" if fields.keys() == {"table", "column"} else fields
