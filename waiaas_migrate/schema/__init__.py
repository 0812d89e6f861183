"""Model schemas, compare them, and find hazards; without databases or files."""
