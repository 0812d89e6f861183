"""Write a declared schema as a Python module of SQLAlchemy classes or tables."""
