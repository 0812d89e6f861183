"""Everything specific to SQLite: its grammar, catalog and connections, and the statements that change a table."""
