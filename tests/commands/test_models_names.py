"""Names in the module that ``models`` writes are what a person would choose."""

from __future__ import annotations

import pytest

from waiaas_migrate.commands.typed_tables.names import attribute_name, class_name


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("agents", "Agent"),
        ("audit_log", "AuditLog"),
        ("pending_approvals", "PendingApproval"),
        ("policies", "Policy"),
        ("movies", "Movie"),
        ("addresses", "Address"),
        ("statuses", "Status"),
        ("status", "Status"),
        ("databases", "Database"),
        ("boxes", "Box"),
        ("batches", "Batch"),
        ("caches", "Cache"),
        ("people", "Person"),
        ("news", "News"),
        ("analysis", "Analysis"),
        ("PlaylistTrack", "PlaylistTrack"),
        ("userGroups", "UserGroup"),
        ("HTTPRequests", "HTTPRequest"),
        ("true", "TableTrue"),
        ("2fa_tokens", "Table2faToken"),
        ("größen", "Größen"),
    ],
)
def test_a_class_is_the_singular_of_its_table(table: str, name: str) -> None:
    """A class is named after the singular of its table's name, in Python's style."""
    assert class_name(table) == name


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("id", "id"),
        ("metadata", "metadata_"),
        ("class", "class_"),
        ("taken", "taken_"),
        ("odd name", "odd_name"),
        ("__hidden", "column_hidden"),
        ("_sa_instance_state", "column_sa_instance_state"),
        ("1st", "column_1st"),
        ("=", "column_"),
        ("ﬁle", "file"),
    ],
)
def test_an_attribute_is_its_column(column: str, name: str) -> None:
    """An attribute has the name of its column, unless Python or SQLAlchemy has another use for it."""
    assert attribute_name(column, {"taken"}) == name
