"""Everything specific to SQLite: connections, catalog, grammar and ALTER TABLE."""
