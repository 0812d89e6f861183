"""Read SQL and databases into the model of :mod:`waiaas_migrate.schema`, with SQLite's own grammar."""
