"""The command ``enums``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from waiaas_migrate.cli import options
from waiaas_migrate.cli.output_file import force, output_path, write_generated
from waiaas_migrate.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from waiaas_migrate.commands.enums import EnumLanguage
    from waiaas_migrate.files.project import Project


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--python", "language", flag_value="python", help="Write a Python module.")
@click.option("--typescript", "language", flag_value="typescript", help="Write a TypeScript module.")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; `-` is stdout.")
@force
@options.in_project
def enums(
    project: Project, sources: tuple[str, ...], language: EnumLanguage | None, output: str | None, *, force: bool
) -> None:
    """Write enums as a Python or TypeScript module.

    SOURCE is a module or file with enums, such as `app.enums` or `src/enums.ts`.  [default: schema.yaml's sources]

    Writes to stdout or, without SOURCE, to the file that pyproject.toml sets as `enums_python` or `enums_typescript`.
    `check` reports such a file if it is out of date. Without --python or --typescript, writes all files that are set.

    \b
    Example:
      waiaas-migrate enums --python -o app/enums.py
    """  # noqa: D301
    from waiaas_migrate.commands.enums import enum_outputs, is_same_module
    from waiaas_migrate.commands.enums import enums as run

    configured: dict[EnumLanguage, Path] = {} if sources else enum_outputs(project)
    if language is None and (output is not None or not configured):
        raise UsageError("Pass --python or --typescript.")
    languages = tuple(configured) if language is None else (language,)
    for one in languages:
        path = output_path(output, setting=configured.get(one))
        text = run(project, language=one, sources=sources)
        write_generated(path, text, command="enums", force=force, is_same=partial(is_same_module, language=one))
