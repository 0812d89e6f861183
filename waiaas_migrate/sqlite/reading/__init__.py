"""Read SQL and databases into the model, with SQLite's own grammar."""
