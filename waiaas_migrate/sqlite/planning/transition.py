"""One schema on its way to another: all that a plan is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from waiaas_migrate.errors import Problem
from waiaas_migrate.schema.changes import Change
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.sqlite.planning.plan_options import PlanOptions
from waiaas_migrate.sqlite.planning.table_text import Clauses
from waiaas_migrate.sqlite.reading.dependencies import Dependencies
from waiaas_migrate.sqlite.reading.introspect import Known, Strings


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One schema on its way to another.

    ``start`` is the schema as it is, ``old`` the same after ``renames``, ``new`` the schema to come, with its hints;
    ``changes`` lead from ``old`` to ``new``. ``set_aside`` are the folded names of views and triggers that do not
    compile, at which renaming would stumble. ``texts`` are the CREATE statements of the tables of ``old``, by folded
    name, and ``clauses`` writes new ones; ``reads`` is what the backfills of each read. ``problems`` say which
    backfills cannot be followed; ``strings`` are the words in double quotes that are strings in ``old``, by what holds
    them; ``known`` are texts of the catalog that need no reading. ``stale_indexes`` are the folded names of the
    full-text tables over a view that must be indexed again. ``in_order``: columns must stand in their tables in the
    order of ``new``.
    """

    start: Schema
    old: Schema
    new: Schema
    changes: tuple[Change, ...]
    renames: Renames = field(default=Renames())
    set_aside: frozenset[str] = frozenset()
    options: PlanOptions = field(default=PlanOptions())
    clauses: Clauses | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, Dependencies] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    strings: Strings = field(default_factory=dict)
    known: Known = field(default_factory=dict)
    stale_indexes: frozenset[str] = frozenset()
    in_order: bool = False
