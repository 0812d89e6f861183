"""Read ``[tool.waiaas-migrate.lint]`` of pyproject.toml, the settings of ``lint``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The values of ``severity``.
SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class LintSettings:
    """Which rules ``lint`` runs, and the severities of their findings.

    Args:
        select: codes of the only rules to run; empty for all.
        ignore: codes of the rules to skip.
        severity: pairs of a code and the severity to use instead of the rule's default.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: tuple[tuple[str, str], ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """Return all codes that the settings name."""
        return (*self.select, *self.ignore, *(code for code, _ in self.severity))

    def selects(self, code: str) -> bool:
        """Return whether the rule with this code runs."""
        return code not in self.ignore and (not self.select or code in self.select)

    def severity_of(self, code: str, default: str) -> str:
        """Return the severity set for a code, or else ``default``."""
        return dict(self.severity).get(code, default)


def is_lint_table(value: object) -> bool:
    """Return whether ``value`` is a valid ``lint`` table."""
    if not isinstance(value, dict) or not value.keys() <= {"select", "ignore", "severity"}:
        return False
    severity = value.get("severity", {})
    return (
        all(_is_codes(value.get(key, [])) for key in ("select", "ignore"))
        and isinstance(severity, dict)
        and all(level in SEVERITIES for level in severity.values())
    )


def _is_codes(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(code, str) for code in value)


def lint_settings(table: Mapping[str, Any]) -> LintSettings:
    """Return the settings in a ``lint`` table that :func:`is_lint_table` has checked."""
    return LintSettings(
        select=tuple(table.get("select", ())),
        ignore=tuple(table.get("ignore", ())),
        severity=tuple(table.get("severity", {}).items()),
    )
