"""Generate the migration for a changed schema with this tool or another one, each in its own process.

Run it as a script with the name of a contender and a folder prepared for it. It prints the seconds taken, which
include reading the declaration but not importing the contender's modules.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks import _declared
from benchmarks._measure import in_child, timed
from waiaas_migrate.authoring.generate import generate
from waiaas_migrate.commands.diff import compare
from waiaas_migrate.files.migration_dir.migration_files import read_migrations
from waiaas_migrate.files.project import Project
from waiaas_migrate.sqlite.reading.introspect import introspect

TABLES = "tables"
CHANGED = "changed"


def main() -> None:
    """Run one contender and print its figures."""
    name, folder = sys.argv[1:]
    run = CONTENDERS[name](Path(folder))
    print(json.dumps({"seconds": timed(run)}))


def project_in(folder: Path) -> Project:
    """Return this tool's project in ``folder``."""
    return Project(
        root=folder, schema=folder / "schema.yaml", migrations=folder / "migrations", templates=folder / "templates"
    )


def prepare(folder: Path, tables: int, *, peers: list[str]) -> None:
    """Write the unchanged schema to ``folder`` in every format, with its migrations and a database at head."""
    folder.mkdir()
    (folder / TABLES).write_text(str(tables), encoding="utf-8")
    declare(folder, changed=False)
    project = project_in(folder)
    generate(project)
    with closing(sqlite3.connect(folder / "head.db", isolation_level=None)) as connection:
        connection.executescript((project.migrations / "0001_initial.sql").read_text(encoding="utf-8"))
    if "django" in peers:
        in_child(__name__, "django_initial", folder)


def declare(folder: Path, *, changed: bool) -> None:
    """Write the declaration in every format."""
    tables = int((folder / TABLES).read_text(encoding="utf-8"))
    (folder / "bench").mkdir(exist_ok=True)
    (folder / "bench" / "__init__.py").touch()
    (folder / "schema.yaml").write_text(_declared.yaml(tables, changed=changed), encoding="utf-8")
    (folder / "bench" / "models.py").write_text(_declared.django(tables, changed=changed), encoding="utf-8")
    (folder / "schema.ts").write_text(_declared.drizzle(tables, changed=changed), encoding="utf-8")
    (folder / CHANGED).write_text("yes" if changed else "", encoding="utf-8")


def fresh(folder: Path, *, changed: bool) -> Path:
    """Copy ``folder`` for one contender."""
    copy = folder.with_name(f"{folder.name}-tried")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, symlinks=True)
    declare(copy, changed=changed)
    return copy


def tool(folder: Path) -> Callable[[], None]:
    """Time ``generate`` as a library call."""
    import jinja2  # noqa: F401  imported here so that it is not timed
    import yoyo.migrations  # noqa: F401  likewise

    return lambda: _tell(str(generate(project_in(folder)).written))


def comparison(folder: Path) -> Callable[[], None]:
    """Time ``diff`` of the migrations and schema.yaml as a library call."""
    import jinja2  # noqa: F401  imported here so that it is not timed
    import yoyo.migrations  # noqa: F401  likewise

    project = project_in(folder)
    return lambda: _tell(str(compare(project, str(project.migrations), str(project.schema)).changes))


def introspection(folder: Path) -> Callable[[], None]:
    """Time ``introspect`` of the database at head."""

    def run() -> None:
        with closing(sqlite3.connect(folder / "head.db")) as connection:
            introspect(connection)

    return run


def floor(folder: Path) -> Callable[[], None]:
    """Time SQLite itself, creating the tables and indexes in memory twice: as declared and as migrated."""
    (migration,) = read_migrations(folder / "migrations")
    statements = migration.statements

    def run() -> None:
        for _ in range(2):
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
                for statement in statements:
                    connection.execute(statement)

    return run


def alembic(folder: Path) -> Callable[[], None]:
    """Time Alembic's autogenerate: declare the metadata, reflect the database, compare, render the text."""
    import sqlalchemy
    from alembic.autogenerate import produce_migrations, render_python_code
    from alembic.migration import MigrationContext

    tables = int((folder / TABLES).read_text(encoding="utf-8"))
    changed = bool((folder / CHANGED).read_text(encoding="utf-8"))

    def run() -> None:
        metadata = _declared.alembic(tables, changed=changed)
        engine = sqlalchemy.create_engine(f"sqlite:///{folder / 'head.db'}")
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": True})
            found = produce_migrations(context, metadata).upgrade_ops
            _tell(render_python_code(found) if found is not None else "")
        engine.dispose()

    return run


def django(folder: Path) -> Callable[[], None]:
    """Time Django's makemigrations: import the models, load the migrations, compare, write the file."""
    sys.path.insert(0, str(folder))
    import django.core.management.commands.makemigrations  # noqa: F401  imported here so that it is not timed
    from django.core.management import call_command

    from benchmarks._django import configure

    def run() -> None:
        configure(folder / "head.db", INSTALLED_APPS=["bench"])
        call_command("makemigrations", "bench", verbosity=0, interactive=False, skip_checks=True)

    return run


def django_initial(folder: Path) -> Callable[[], None]:
    """Write Django's first migration. Its own command takes many minutes for 1,000 related models."""
    sys.path.insert(0, str(folder))
    from benchmarks._django import configure

    def run() -> None:
        configure(folder / "head.db", INSTALLED_APPS=["bench"])
        from django.apps import apps
        from django.db.migrations import CreateModel, Migration
        from django.db.migrations.state import ModelState
        from django.db.migrations.writer import MigrationWriter

        states = [ModelState.from_model(model) for model in apps.get_app_config("bench").get_models()]
        migration = Migration("0001_initial", "bench")
        migration.initial = True
        migration.operations = [
            CreateModel(state.name, list(state.fields.items()), state.options, state.bases, state.managers)
            for state in states
        ]
        written = folder / "bench" / "migrations"
        written.mkdir()
        (written / "__init__.py").touch()
        (written / "0001_initial.py").write_text(MigrationWriter(migration).as_string(), encoding="utf-8")

    return run


def tool_command(folder: Path) -> Callable[[], None]:
    """Time ``waiaas-migrate generate`` including its startup, to compare it with drizzle-kit."""
    command = [sys.executable, "-m", "waiaas_migrate", "generate"]
    return lambda: _tell(subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout)


def drizzle(folder: Path) -> Callable[[], None]:
    """Time ``drizzle-kit generate`` including its startup; DRIZZLE is the folder where npm installed it."""
    modules = Path(os.environ["DRIZZLE"], "node_modules")
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(modules)
    command: list[str | Path] = [
        modules / ".bin" / "drizzle-kit",
        "generate",
        "--dialect",
        "sqlite",
        "--schema",
        "schema.ts",
    ]
    return lambda: _tell(subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


CONTENDERS: dict[str, Callable[[Path], Callable[[], None]]] = {
    "tool": tool,
    "compare": comparison,
    "introspect": introspection,
    "floor": floor,
    "alembic": alembic,
    "django": django,
    "django_initial": django_initial,
    "tool_command": tool_command,
    "drizzle": drizzle,
}


if __name__ == "__main__":
    main()
