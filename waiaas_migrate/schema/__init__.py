"""What a schema is, how two differ, and what is dangerous about the difference. Pure values: no SQLite, no files."""
