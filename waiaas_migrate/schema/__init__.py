"""The model of a schema, the comparison of two schemas, and the hazards of a change. Uses no database and no files."""
