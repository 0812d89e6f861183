"""``lint``: find weaknesses in a schema, and hazards and weaknesses in migrations."""
