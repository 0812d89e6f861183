"""Generate a Python module with SQLAlchemy classes or tables from a declared schema."""
