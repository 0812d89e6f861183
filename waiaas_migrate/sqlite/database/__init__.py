"""Databases: where one is, how it is opened, and what its catalog says."""
