"""``lint``: find what a schema or a migration would be better without."""
