"""All that is particular to SQLite: its grammar, its catalog, its connections, and how it lets a table be changed."""
