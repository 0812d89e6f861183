"""``init``: start a project."""
