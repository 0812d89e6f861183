"""The files of a project: its configuration, schema.yaml, templates and migrations. It does not reach a database."""
