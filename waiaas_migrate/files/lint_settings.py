"""Read ``[tool.waiaas-migrate.lint]`` of pyproject.toml, the settings of ``lint``."""

from __future__ import annotations

from dataclasses import dataclass

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


def read_lint_table(table: object) -> LintSettings | None:
    """Return the settings in a ``lint`` table; None if the table is invalid."""
    if not isinstance(table, dict) or not table.keys() <= {"select", "ignore", "severity"}:
        return None
    select, ignore, severity = table.get("select", []), table.get("ignore", []), table.get("severity", {})
    if not _is_codes(select) or not _is_codes(ignore) or not isinstance(severity, dict):
        return None
    if not all(level in SEVERITIES for level in severity.values()):
        return None
    return LintSettings(select=tuple(select), ignore=tuple(ignore), severity=tuple(severity.items()))


def _is_codes(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(code, str) for code in value)
