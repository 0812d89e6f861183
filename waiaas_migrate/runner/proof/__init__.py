"""Verify the schema before COMMIT, and that no foreign key is newly violated."""
