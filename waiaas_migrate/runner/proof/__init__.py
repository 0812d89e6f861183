"""What is verified before COMMIT: the schema is the expected one, and no foreign key is newly violated."""
