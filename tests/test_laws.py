"""Laws that hold between any two schemas, whatever stands in the tables."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given, settings

from tests.strategies import schemas
from waiaas_migrate.files.render import Renderer
from waiaas_migrate.generate.declared import build
from waiaas_migrate.generate.draft import changes_of, draft
from waiaas_migrate.generate.proof import prove
from waiaas_migrate.generate.transition import make_transition
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import Renames
from waiaas_migrate.sqlite.introspect import introspect
from waiaas_migrate.sqlite.transition import Options

RENDERER = Renderer()


@pytest.mark.parametrize("catalog_edits", [True, False], ids=["edits", "rebuilds"])
@settings(max_examples=80)
@given(old=schemas(), new=schemas())
def test_any_schema_becomes_any_other(old: Schema, new: Schema, catalog_edits: bool) -> None:  # noqa: FBT001
    """The migration gives the declared schema, and its rollback the one before, on made-up rows too; yoyo can read it.

    That much is the proof that ``generate`` makes before it writes. Planning again finds nothing to do.
    """
    with closing(build(old, RENDERER, file="old")) as before, closing(build(new, RENDERER, file="new")) as wanted:
        declared = introspect(wanted)
        options = Options(catalog_edits=catalog_edits)
        transition = make_transition(before, declared, Renames(), RENDERER, options)
        if not changes_of(transition):
            assert diff(introspect(before), declared) == ()
            return
        text = draft(before, transition, (), RENDERER).text
        prove(before, transition, text)
