"""Changes turned into steps that SQLite can take."""
