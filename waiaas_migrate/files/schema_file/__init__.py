"""Read schema.yaml, report all problems in it, and write a schema as schema.yaml."""
