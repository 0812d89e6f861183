"""Plan the migration for changes that were made by hand in a database, for ``drift --as-migration``."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from waiaas_migrate.authoring.branches import replay_folder
from waiaas_migrate.authoring.declared import Declared
from waiaas_migrate.authoring.generate import Plan, Request, plan_transition, transition_to_declared
from waiaas_migrate.authoring.make_transition import make_transition
from waiaas_migrate.files.migration_dir.manifest import Manifest
from waiaas_migrate.files.templates.render import Renderer
from waiaas_migrate.schema.diff import diff
from waiaas_migrate.schema.model import Schema
from waiaas_migrate.schema.renames import Renames, hints


def plan_to_live(request: Request, live: Schema, declared: Declared) -> Plan:
    """Plan the migration that leads from the existing migrations to ``live``, the schema of a database.

    If schema.yaml already declares the same schema, follow its hints. So if a column was renamed by hand, the migration
    renames it, too.

    Raises:
        InputError: a file cannot be used.
        ProofError: the migration fails its proof.
    """
    project, recorded, renderer = request.project, request.recorded, Renderer(request.project.templates)
    manifest = recorded or Manifest(ignore=project.ignore)
    with closing(replay_folder(request.migrations, recorded)) as before:
        if diff(declared.schema, live):
            transition = make_transition(before, live, Renames(), renderer, project.options)
        else:
            transition = transition_to_declared(project, before, declared, recorded, renderer)
            manifest = replace(manifest, hints=hints(declared.schema))
        return plan_transition(request, before, transition, renderer, manifest)
