"""Turn a changed schema.yaml into a migration: replay the folder, compare, plan, prove in memory, write."""
