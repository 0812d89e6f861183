"""Render SQL from templates.

The ``*.sql.j2`` templates write all SQL of generated migrations, and the SQL that builds a schema in memory. They ship
with the package. A project can replace each with a file of the same name in its templates folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.bccache import Bucket

from waiaas_migrate.errors import Problem, TemplateError
from waiaas_migrate.files.bundled import bundled
from waiaas_migrate.schema.model import Table
from waiaas_migrate.sqlite.planning.actions import Action, CreateTable, Guard, Step, guards_of, template_of
from waiaas_migrate.sqlite.planning.layout import layout
from waiaas_migrate.sqlite.planning.table_text import Item
from waiaas_migrate.sqlite.quoting import quote_literal
from waiaas_migrate.sqlite.reading.ddl import may_omit_parentheses
from waiaas_migrate.sqlite.reading.spelling import sql_name

#: The Jinja options that affect how templates are compiled.
_OPTIONS: Mapping[str, Any] = {
    "undefined": jinja2.StrictUndefined,
    "autoescape": False,  # SQL, not HTML; quoting is done by the name and literal filters
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The comment at the top of a migration: title, remarks and dependencies."""

    title: str
    remarks: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedStep:
    """A step of a migration: its description, its cost, and its SQL."""

    words: str
    cost: str
    sql: str


def replaced_templates(folder: Path) -> tuple[str, ...]:
    """Return the names of the shipped templates that ``folder`` replaces."""
    shipped = bundled("templates")
    if not folder.is_dir() or folder.samefile(shipped):
        return ()
    return tuple(sorted(path.name for path in shipped.glob("*.sql.j2") if (folder / path.name).is_file()))


class Renderer:
    """Renders SQL for actions, steps and whole migrations from one set of templates."""

    def __init__(self, templates: Path | None = None) -> None:
        """Use the templates in the folder ``templates``, and shipped ones for the rest."""
        shipped = bundled("templates")
        folders = [templates, shipped] if templates is not None and replaced_templates(templates) else [shipped]
        #: Whether the project's templates replace any that ship with the package.
        self.is_customized = len(folders) > 1
        cache_folder = None if self.is_customized else user_cache_folder()
        self._environment = jinja2.Environment(  # noqa: S701 — SQL, not HTML
            loader=jinja2.FileSystemLoader(folders, encoding="utf-8"),
            bytecode_cache=TemplateCache(cache_folder, _OPTIONS) if cache_folder is not None else None,
            auto_reload=False,
            **_OPTIONS,
        )
        self._environment.filters.update(
            above=lambda comment: "".join(f"    -- {line}\n" for line in (comment or "").splitlines()),
            beside=_comment_beside,
            has_constraints=lambda owner: owner.primary_key or owner.uniques or owner.checks or owner.foreign_keys,
            layout=layout,
            literal=_literal,
            name=_name,
            names=lambda names: ", ".join(map(_name, names)),
            one_line=lambda text: " ".join(text.split()),
            quoted=_quoted,
        )
        self._environment.tests["bare"] = may_omit_parentheses

    def step(self, step: Step, guards: Mapping[Guard, str] | None = None) -> RenderedStep:
        """Return ``step`` with the SQL of its actions.

        ``guards`` maps guards to their columns in the migration's guard table; a missing guard's column is its label.

        Raises:
            TemplateError: a template can't be used.
        """
        sql = "\n".join(self.action(action, guards) for action in step.actions)
        return RenderedStep(words=" ".join(step.words.split()), cost=step.cost, sql=sql)

    def action(self, action: Action, guards: Mapping[Guard, str] | None = None) -> str:
        """Return the SQL of one action. Each statement ends in a semicolon."""
        columns = {guard: (guards or {}).get(guard, guard.label) for guard in guards_of(action)}
        guard = next(iter(columns.values()), None)
        return self._render(f"{template_of(action)}.sql.j2", action=action, guard=guard, guards=columns).strip()

    def clause(self, item: Table | Item) -> str:
        """Return a CREATE TABLE without semicolon, or a column's or constraint's clause."""
        if isinstance(item, Table):
            return self._render("create_table.sql.j2", action=CreateTable(table=item)).strip().removesuffix(";")
        return self._render("item.sql.j2", item=item, kind=type(item).__name__).strip()

    def migration(self, head: Head, steps: Sequence[Step]) -> str:
        """Return the text of a migration file: its head, the guard table, and the steps."""
        guards = _named_guards(action for step in steps for action in step.actions)
        rendered = [self.step(step, guards) for step in steps]
        columns = {name: guard.message for guard, name in guards.items()}
        return self._render("migration.sql.j2", head=head, guards=columns, steps=rendered).strip() + "\n"

    def _render(self, template: str, **values: object) -> str:
        try:
            return self._environment.get_template(template).render(**values)
        except jinja2.TemplateNotFound as error:
            raise _template_error(template, f"there is no template {error.name}") from None
        except jinja2.TemplateSyntaxError as error:
            raise _template_error(error.filename or template, error.message, error.lineno) from None
        except jinja2.TemplateError as error:
            raise _template_error(template, error.message) from None
        except UnicodeDecodeError as error:
            raise _template_error(template, f"it is not UTF-8: {error.reason}") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _template_error(template, f"{type(error).__name__}: {error}") from None


def _named_guards(actions: Iterable[Action]) -> dict[Guard, str]:
    """Return a unique column name in the guard table for each guard, derived from its label."""
    named: dict[Guard, str] = {}
    for guard in dict.fromkeys(guard for action in actions for guard in guards_of(action)):
        label = re.sub(r"[^a-z0-9_]", "_", guard.label.lower())
        label = label if sql_name(label) == label else f"table_{label}"
        names = itertools.chain([label], (f"{label}{number}" for number in itertools.count(2)))
        named[guard] = next(name for name in names if name not in named.values())
    return named


def _template_error(file: str, message: str | None, line: int | None = None) -> TemplateError:
    fix = "Correct it, or delete it to use the one that ships with waiaas-migrate."
    return TemplateError([Problem(file=file, line=line, what=f"can't use the template: {message}.", fix=fix)])


_name = lru_cache(maxsize=4096)(sql_name)


def _literal(value: str) -> str:
    """Return ``value`` as an SQL literal without backslashes, which sqlparse misreads."""
    return " || char(92) || ".join(quote_literal(part) for part in value.split("\\"))


def _quoted(message: str) -> str:
    """Return ``message`` as a double-quoted name, with a space between a backslash and a quote."""
    return '"' + re.sub(r"\\(?=['\"]|\Z)", r"\\ ", message).replace('"', '""') + '"'


def _comment_beside(comment: str | None) -> str:
    """Return ``comment`` as an SQL comment for the end of a line; "" if it is empty or None."""
    if not comment:
        return ""
    lines = comment.splitlines()
    if len(lines) == 1:
        return f" -- {lines[0]}"
    return " /* " + "\n   ".join(line.replace("*/", "* /") for line in lines) + " */"


class TemplateCache(jinja2.FileSystemBytecodeCache):
    """Caches compiled templates in a folder, as Python caches compiled modules.

    Jinja takes longer to compile the shipped templates than to render a hundred tables with them.
    """

    def __init__(self, folder: Path, options: Mapping[str, object]) -> None:
        super().__init__(str(folder), "%s")
        self._compiler = repr((jinja2.__version__, sorted(options.items())))

    def get_source_checksum(self, source: str) -> str:
        """Return a hash of everything that affects the compiled template."""
        # Filters don't affect it: Jinja runs them at compile time only on constants, which no shipped template does.
        return hashlib.sha256(f"{self._compiler}\n{source}".encode()).hexdigest()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write a compiled template to its file, if possible: the cache is optional."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def user_cache_folder() -> Path | None:
    """Return the folder for compiled templates; None if it can't be created.

    Compiled templates are Python code, so the result is also None if another user can write to the folder.
    """
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "waiaas-migrate" / "templates"
        # Under sudo, HOME may belong to another user, who couldn't delete files of root.
        if not base.is_absolute() or not _is_owned(base if base.exists() else base.parent):
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_open_to_others = hasattr(os, "geteuid") and folder.stat().st_mode & 0o022
        return folder if _is_owned(folder) and not is_open_to_others else None
    except (OSError, RuntimeError):  # RuntimeError if there is no home folder
        return None


def _is_owned(folder: Path) -> bool:
    """Return whether the folder belongs to the current user; always true on Windows."""
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()
