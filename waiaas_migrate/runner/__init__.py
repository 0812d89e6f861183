"""Run migrations on databases, and verify the result before COMMIT."""
