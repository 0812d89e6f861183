"""Draw random edits of a schema.yaml and their effect on rows, for property tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.support.transitions import Value

Spec = dict[str, Any]

_TYPES = ("integer", "text", "real", "blob", "numeric", "", "VARCHAR(9)")
_STATES = ("open", "done", "it's", "café")
_VALUES: tuple[Value, ...] = (
    *(None, 0, 1, -5, 2**53 + 1, 1.5, -1e300, "", "a", "A", "007", "1.50", "it's", "naïve", b"", b"\x00\xff"),
)
_ROWIDS = (-3, 2, 7, 40, 10**12)
_LITERALS = {"integer": "7", "real": "7.5", "text": "'seven'", "blob": "X'07'"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column in schema.yaml, the column that it was before, and the values that its hints change."""

    spec: Spec
    was: str | None = None
    mapped: dict[Value, Value] = field(default_factory=dict)
    filled: Value = None
    is_comparable: bool = True


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A table: its columns by name, its options, its indexes, and the table that it was before."""

    fields: dict[str, Field]
    options: Spec = field(default_factory=dict)
    indexes: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    was: str | None = None

    def body(self, name: str) -> Spec:
        """Return the table as schema.yaml has it."""
        columns = {column: one.spec for column, one in self.fields.items()}
        renamed = {"renamed_from": self.was} if self.was not in (None, name) else {}
        return {**renamed, "columns": columns, "indexes": self.indexes, "checks": self.checks, **self.options}


@dataclass(frozen=True, kw_only=True)
class World:
    """A schema that is being edited, with a table ``log`` that a trigger writes to."""

    relations: dict[str, Relation]
    has_trigger: bool
    has_view: bool

    def body(self) -> Spec:
        """Return the whole schema as schema.yaml has it."""
        tables = {name: one.body(name) for name, one in self.relations.items()}
        last = list(self.relations)[-1]
        body: Spec = {"tables": {**tables, "log": {"columns": {"said": "text"}}}}
        if self.has_view:
            body["views"] = {"seen": f'SELECT count(*) AS n FROM "{last}"'}
        if self.has_trigger:
            text = f"CREATE TRIGGER told AFTER UPDATE ON \"{last}\" BEGIN INSERT INTO log VALUES ('updated'); END"
            body["triggers"] = {"told": text}
        return body


@st.composite
def _fields(draw: st.DrawFn) -> dict[str, Field]:
    key = draw(st.sampled_from(("rowid alias", "autoincrement", "text", "none")))
    found: dict[str, Field] = {}
    if key in ("rowid alias", "autoincrement"):
        found["id"] = Field(spec={"type": "integer", "primary_key": True, "autoincrement": key == "autoincrement"})
    elif key == "text":
        found["id"] = Field(spec={"type": "text", "primary_key": True})
    for at in range(draw(st.integers(1, 4))):
        # A table needs a column that is not generated.
        spec = draw(_specs().filter(lambda one: "generated" not in one) if at == 0 else _specs())
        found[f"c{at}"] = Field(spec=spec)
    return found


@st.composite
def _specs(draw: st.DrawFn) -> Spec:
    kind = draw(st.sampled_from(("plain", "plain", "plain", "enum", "unique", "collated", "generated")))
    if kind == "enum":
        return {"type": "text", "enum": list(_STATES[: draw(st.integers(1, 3))])}
    if kind == "generated":
        return {"type": "text", "generated": {"expression": "7 || '!'", "stored": draw(st.booleans())}}
    spec: Spec = {"type": draw(st.sampled_from(_TYPES)) or None}
    if kind == "unique":
        return {**spec, "unique": {"on_conflict": draw(st.sampled_from(("abort", "replace", "ignore")))}}
    if kind == "collated":
        return {"type": "text", "collate": draw(st.sampled_from(("nocase", "rtrim")))}
    if draw(st.booleans()):
        spec["default"] = draw(st.sampled_from((0, 1.5, "d", "it's")))
        spec["nullable"] = draw(st.booleans())
    return spec


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a schema to start from: up to three tables, the later ones with foreign keys to the first."""
    relations: dict[str, Relation] = {}
    for at in range(draw(st.integers(1, 3))):
        fields = draw(_fields())
        first = relations.get("t0")
        if first is not None and "id" in first.fields:
            action = draw(st.sampled_from(("cascade", "set null", "restrict", "no action")))
            reference = {"table": "t0", "column": "id", "on_delete": action}
            fields["parent"] = Field(spec={"type": first.fields["id"].spec["type"], "references": reference})
        options = {"without_rowid": True} if fields.get("id", Field(spec={})).spec.get("type") == "text" else {}
        indexed = {f"i{at}": {"columns": [f"c{0}"], "where": "c0 IS NOT NULL"}} if draw(st.booleans()) else {}
        relations[f"t{at}"] = Relation(fields=fields, options=options if draw(st.booleans()) else {}, indexes=indexed)
    return World(relations=relations, has_trigger=draw(st.booleans()), has_view=draw(st.booleans()))


@st.composite
def rows(draw: st.DrawFn, relation: Relation) -> list[dict[str, Value]]:
    """Draw rows for a table, which may reject some of them.

    If no column is the rowid, it is set, with gaps and in no order, so that a copy that renumbers rows is noticed.
    """
    columns = [name for name, one in relation.fields.items() if "generated" not in one.spec]
    found = [
        {name: draw(_values(relation.fields[name].spec)) for name in columns} for _ in range(draw(st.integers(0, 5)))
    ]
    key = relation.fields.get("id", Field(spec={})).spec
    if "without_rowid" in relation.options or key.get("type") == "integer":
        return found
    return [{"rowid": rowid, **row} for rowid, row in zip(draw(st.permutations(_ROWIDS)), found, strict=False)]


def _values(spec: Spec) -> st.SearchStrategy[Value]:
    if "enum" in spec:
        return st.sampled_from((None, *spec["enum"]))
    if "references" in spec or spec.get("primary_key"):
        return st.sampled_from((1, 2, 3, 40, 500) if spec["type"] == "integer" else ("a", "b", "c"))
    return st.sampled_from(_VALUES)


# --- edits ------------------------------------------------------------------------------------------------------------

Edit = Callable[[st.DrawFn, Relation], Relation | None]


@st.composite
def edited(draw: st.DrawFn, world: World) -> World:
    """Draw some edits of ``world`` that its rows allow; return the result."""
    relations = {
        name: replace(one, was=name, fields={c: replace(f, was=c) for c, f in one.fields.items()})
        for name, one in world.relations.items()
    }
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from(sorted(relations)))
        after = draw(st.sampled_from(EDITS))(draw, relations[name])
        if after is not None:
            relations[name] = after
    if draw(st.booleans()):
        old = draw(st.sampled_from(sorted(relations)))
        relations = _renamed(relations, old, "called 'so'")
    return World(relations=relations, has_trigger=draw(st.booleans()), has_view=draw(st.booleans()))


def _renamed(relations: dict[str, Relation], old: str, new: str) -> dict[str, Relation]:
    found = {}
    for name, one in relations.items():
        fields = {}
        for column, has in one.fields.items():
            reference = has.spec.get("references")
            spec = dict(has.spec)
            if reference and reference["table"] == old:
                spec["references"] = {**reference, "table": new}
            fields[column] = replace(has, spec=spec)
        found[new if name == old else name] = replace(one, fields=fields)
    return found


def _with(relation: Relation, name: str, **changes: Any) -> Relation:  # noqa: ANN401  a value of schema.yaml
    one = relation.fields[name]
    return replace(relation, fields={**relation.fields, name: replace(one, spec={**one.spec, **changes})})


def _pick(draw: st.DrawFn, relation: Relation, fits: Callable[[Field], bool]) -> str | None:
    names = [name for name, one in relation.fields.items() if fits(one)]
    return draw(st.sampled_from(names)) if names else None


def _is_plain(one: Field) -> bool:
    return not {"primary_key", "references", "generated", "unique", "enum"} & set(one.spec)


def _add(draw: st.DrawFn, relation: Relation) -> Relation:
    kind = draw(st.sampled_from(sorted(_LITERALS)))
    spec: Spec = {"type": kind, **draw(st.sampled_from(({}, {"default": 5}, {"nullable": False, "default": "d"})))}
    spec = draw(
        st.sampled_from(
            (
                spec,
                {**spec, "nullable": False, "backfill": _LITERALS[kind]},
                {"type": "text", "generated": {"expression": "1 || 'g'", "stored": draw(st.booleans())}},
                {"type": "text", "default_sql": "lower('X')"},
                {"type": "text", "unique": True},
            )
        )
    )
    return replace(relation, fields={**relation.fields, f"n{len(relation.fields)}": Field(spec=spec)})


def _drop(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, _is_plain)
    if name is None or sum("generated" not in one.spec for one in relation.fields.values()) < 2:
        return None
    fields = {column: one for column, one in relation.fields.items() if column != name}
    indexes = {index: one for index, one in relation.indexes.items() if name not in one["columns"]}
    checks = {check: sql for check, sql in relation.checks.items() if f'"{name}"' not in sql}
    return replace(relation, fields=fields, indexes=indexes, checks=checks)


def _rename(draw: st.DrawFn, relation: Relation) -> Relation | None:
    old = _pick(draw, relation, lambda one: one.was is not None and _is_plain(one))
    if old is None or "renamed_from" in relation.fields[old].spec:
        return None
    new = f"{old} renamed"
    fields = {}
    for name, one in relation.fields.items():
        spec = {**one.spec, "renamed_from": one.was} if name == old else one.spec
        fields[new if name == old else name] = replace(one, spec=spec)
    indexes = {
        index: {"columns": [new if c == old else c for c in one["columns"]], "where": f'"{new}" IS NOT NULL'}
        if old in one["columns"]
        else one
        for index, one in relation.indexes.items()
    }
    checks = {check: sql.replace(f'"{old}"', f'"{new}"') for check, sql in relation.checks.items()}
    return replace(relation, fields=fields, indexes=indexes, checks=checks)


def _set_not_null(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: _is_plain(one) and one.was is not None and one.spec.get("nullable", True))
    if name is None:
        return None
    after = _with(relation, name, nullable=False, backfill="'filled'")
    one = replace(after.fields[name], filled="filled")
    # The affinity decides how the filling is stored; the other values stay.
    return replace(after, fields={**after.fields, name: one})


def _drop_not_null(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: one.spec.get("nullable") is False and "backfill" not in one.spec)
    return None if name is None else _with(relation, name, nullable=True)


def _change_default(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: _is_plain(one) and "default_sql" not in one.spec)
    return None if name is None else _with(relation, name, default=draw(st.sampled_from((2, "other", -1.5))))


def _add_check(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: "generated" not in one.spec)
    if name is None:
        return None
    sql = f'"{name}" IS NULL OR typeof("{name}") <> \'nothing; "{name}"\''
    return replace(relation, checks={**relation.checks, f"check {len(relation.checks)}": sql})


def _change_type(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: _is_plain(one) and "backfill" not in one.spec)
    if name is None:
        return None
    after = _with(relation, name, type=draw(st.sampled_from(("CHAR(3)", "BIGINT", "real", "blob"))))
    one = replace(after.fields[name], is_comparable=False)
    return replace(after, fields={**after.fields, name: one})


def _change_collation(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, _is_plain)
    return None if name is None else _with(relation, name, collate=draw(st.sampled_from(("nocase", "rtrim", "binary"))))


def _add_index(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: "generated" not in one.spec)
    if name is None or relation.was is None:
        return None
    index = f"i {relation.was} {len(relation.indexes)}"
    return replace(relation, indexes={**relation.indexes, index: {"columns": [name], "where": f'"{name}" IS NOT NULL'}})


def _drop_indexes(_: st.DrawFn, relation: Relation) -> Relation:
    return replace(relation, indexes={})


def _change_enum(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: "enum" in one.spec and "enum_values" not in one.spec and not one.mapped)
    if name is None:
        return None
    values = relation.fields[name].spec["enum"]
    what = draw(st.sampled_from(("grow", "rename", "remove")))
    if what == "grow":
        return _with(relation, name, enum=[*values, f"new {len(values)}"])
    target = "renamed 'x'" if what == "rename" else None
    after = _with(
        relation,
        name,
        enum=[*values[1:], "renamed 'x'"],
        enum_values={"renamed" if what == "rename" else "removed": {values[0]: target}},
    )
    one = replace(after.fields[name], mapped={values[0]: target})
    return replace(after, fields={**after.fields, name: one})


def _reorder(draw: st.DrawFn, relation: Relation) -> Relation:
    order = draw(st.permutations(sorted(relation.fields)))
    return replace(relation, fields={name: relation.fields[name] for name in order})


def _change_reference(draw: st.DrawFn, relation: Relation) -> Relation | None:
    name = _pick(draw, relation, lambda one: "references" in one.spec)
    if name is None:
        return None
    if draw(st.booleans()):
        one = relation.fields[name]
        spec = {key: value for key, value in one.spec.items() if key != "references"}
        return replace(relation, fields={**relation.fields, name: replace(one, spec=spec)})
    return _with(relation, name, references={**relation.fields[name].spec["references"], "deferrable": True})


def _toggle_autoincrement(draw: st.DrawFn, relation: Relation) -> Relation | None:
    del draw
    key = relation.fields.get("id")
    if key is None or key.spec["type"] != "integer":
        return None
    return _with(relation, "id", autoincrement=True)


EDITS: Sequence[Edit] = (
    *(_add, _add, _drop, _drop, _rename, _set_not_null, _drop_not_null, _change_default, _add_check, _change_type),
    *(_change_collation, _add_index, _drop_indexes, _change_enum, _change_enum, _reorder, _change_reference),
    _toggle_autoincrement,
)
