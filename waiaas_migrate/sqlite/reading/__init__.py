"""SQL read into the model, with SQLite's own grammar."""
