"""The hazards of a migration: it may lose data, or fail on existing rows."""
