"""The public names of ``waiaas_migrate``, and the module that defines each.

A module is imported only when one of its names is first used. An application that only opens a database therefore loads
neither Jinja2 nor PyYAML.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waiaas_migrate.authoring.generate import Generated, generate
    from waiaas_migrate.authoring.new_migration import New, new
    from waiaas_migrate.authoring.rebase import Rebased, rebase
    from waiaas_migrate.authoring.record import Recorded, record
    from waiaas_migrate.authoring.squash import Squashed, squash
    from waiaas_migrate.commands.adopt import adopt, adopt_all
    from waiaas_migrate.commands.check import check
    from waiaas_migrate.commands.diagram import diagram
    from waiaas_migrate.commands.diff import Comparison
    from waiaas_migrate.commands.diff import compare as diff
    from waiaas_migrate.commands.drift import Drift, drift, drift_of_all
    from waiaas_migrate.commands.enums import enums
    from waiaas_migrate.commands.findings import Finding, FindingCode, Severity, Subject
    from waiaas_migrate.commands.init.init import Initialized, init
    from waiaas_migrate.commands.inspect import Inspected, inspect
    from waiaas_migrate.commands.lint.lint import lint, lint_database
    from waiaas_migrate.commands.models import models
    from waiaas_migrate.commands.status import Status, status, status_of_all
    from waiaas_migrate.commands.take_over import TakenOver, take_over
    from waiaas_migrate.commands.undo_changes import Undoing, undo_changes
    from waiaas_migrate.errors import (
        ApplyError,
        DatabaseBusy,
        DatabaseFileError,
        DatabaseRefused,
        Failure,
        InputError,
        MigrateError,
        MigrationsError,
        OtherMigrationsError,
        PragmaError,
        Problem,
        ProjectError,
        ProofError,
        SchemaFileError,
        TemplateError,
        UnknownMigrationsError,
        UnsupportedError,
        UsageError,
    )
    from waiaas_migrate.files.project import Project, find_project
    from waiaas_migrate.files.schema_file.schema_edits import SchemaEdit
    from waiaas_migrate.runner.adopt import Adoption
    from waiaas_migrate.runner.apply import ApplyResult
    from waiaas_migrate.runner.apply import apply_to as apply
    from waiaas_migrate.runner.backups.backup import Backup, backups_of
    from waiaas_migrate.runner.backups.restore import Restored, RestoreInterrupted, restore
    from waiaas_migrate.runner.dry_run import Estimate, MigrationEstimate, TableEstimate, estimate, estimate_all
    from waiaas_migrate.runner.fleet.fleet import Fleet, Outcome, apply_to_all
    from waiaas_migrate.runner.losses import Loss
    from waiaas_migrate.runner.mismatch import Mismatch
    from waiaas_migrate.runner.open import close_database, connect, open_database, push_schema
    from waiaas_migrate.runner.options import RunOptions
    from waiaas_migrate.runner.proof.differences import Difference
    from waiaas_migrate.runner.redo import RedoResult, redo
    from waiaas_migrate.runner.rollback import Extent, RollbackResult
    from waiaas_migrate.runner.rollback import roll_back_in as rollback
    from waiaas_migrate.runner.watching.events import (
        Committed,
        MigrationFinished,
        MigrationStarted,
        Progress,
        StatementStarted,
    )
    from waiaas_migrate.runner.watching.interruption import Interrupted
    from waiaas_migrate.schema.hazards.hazard import Hazard
    from waiaas_migrate.waiaas.ids import generate_id

__all__ = [
    "Adoption",
    "ApplyError",
    "ApplyResult",
    "Backup",
    "Committed",
    "Comparison",
    "DatabaseBusy",
    "DatabaseFileError",
    "DatabaseRefused",
    "Difference",
    "Drift",
    "Estimate",
    "Extent",
    "Failure",
    "Finding",
    "FindingCode",
    "Fleet",
    "Generated",
    "Hazard",
    "Initialized",
    "InputError",
    "Inspected",
    "Interrupted",
    "Loss",
    "MigrateError",
    "MigrationEstimate",
    "MigrationFinished",
    "MigrationStarted",
    "MigrationsError",
    "Mismatch",
    "New",
    "OtherMigrationsError",
    "Outcome",
    "PragmaError",
    "Problem",
    "Progress",
    "Project",
    "ProjectError",
    "ProofError",
    "Rebased",
    "Recorded",
    "RedoResult",
    "RestoreInterrupted",
    "Restored",
    "RollbackResult",
    "RunOptions",
    "SchemaEdit",
    "SchemaFileError",
    "Severity",
    "Squashed",
    "StatementStarted",
    "Status",
    "Subject",
    "TableEstimate",
    "TakenOver",
    "TemplateError",
    "Undoing",
    "UnknownMigrationsError",
    "UnsupportedError",
    "UsageError",
    "adopt",
    "adopt_all",
    "apply",
    "apply_to_all",
    "backups_of",
    "check",
    "close_database",
    "connect",
    "diagram",
    "diff",
    "drift",
    "drift_of_all",
    "enums",
    "estimate",
    "estimate_all",
    "find_project",
    "generate",
    "generate_id",
    "init",
    "inspect",
    "lint",
    "lint_database",
    "models",
    "new",
    "open_database",
    "push_schema",
    "rebase",
    "record",
    "redo",
    "restore",
    "rollback",
    "squash",
    "status",
    "status_of_all",
    "take_over",
    "undo_changes",
]

#: The public names that each module of ``waiaas_migrate`` defines.
_NAMES = {
    "authoring.generate": "Generated generate",
    "authoring.new_migration": "New new",
    "authoring.rebase": "Rebased rebase",
    "authoring.record": "Recorded record",
    "authoring.squash": "Squashed squash",
    "commands.adopt": "adopt adopt_all",
    "commands.check": "check",
    "commands.diagram": "diagram",
    "commands.diff": "Comparison diff",
    "commands.drift": "Drift drift drift_of_all",
    "commands.enums": "enums",
    "commands.findings": "Finding FindingCode Severity Subject",
    "commands.init.init": "Initialized init",
    "commands.inspect": "Inspected inspect",
    "commands.lint.lint": "lint lint_database",
    "commands.models": "models",
    "commands.status": "Status status status_of_all",
    "commands.take_over": "TakenOver take_over",
    "commands.undo_changes": "Undoing undo_changes",
    "errors": "ApplyError DatabaseBusy DatabaseFileError DatabaseRefused Failure InputError MigrateError "
    "MigrationsError OtherMigrationsError PragmaError Problem ProjectError ProofError SchemaFileError TemplateError "
    "UnknownMigrationsError UnsupportedError UsageError",
    "files.project": "Project find_project",
    "files.schema_file.schema_edits": "SchemaEdit",
    "runner.adopt": "Adoption",
    "runner.apply": "ApplyResult apply",
    "runner.backups.backup": "Backup backups_of",
    "runner.backups.restore": "RestoreInterrupted Restored restore",
    "runner.dry_run": "Estimate MigrationEstimate TableEstimate estimate estimate_all",
    "runner.fleet.fleet": "Fleet Outcome apply_to_all",
    "runner.losses": "Loss",
    "runner.mismatch": "Mismatch",
    "runner.open": "close_database connect open_database push_schema",
    "runner.options": "RunOptions",
    "runner.proof.differences": "Difference",
    "runner.redo": "RedoResult redo",
    "runner.rollback": "Extent RollbackResult rollback",
    "runner.watching.events": "Committed MigrationFinished MigrationStarted Progress StatementStarted",
    "runner.watching.interruption": "Interrupted",
    "schema.hazards.hazard": "Hazard",
    "waiaas.ids": "generate_id",
}
#: The name in its module of each function that has another public name.
_NAMES_IN_MODULE = {"apply": "apply_to", "diff": "compare", "rollback": "roll_back_in"}


def load(name: str) -> object:
    """Import the module that defines ``name``, and return the object.

    Raises:
        AttributeError: ``name`` is not a public name.
    """
    for module, names in _NAMES.items():
        if name in names.split():
            return getattr(importlib.import_module(f"waiaas_migrate.{module}"), _NAMES_IN_MODULE.get(name, name))
    raise AttributeError(f"module 'waiaas_migrate' has no attribute {name!r}")
