"""yoyo's tables: which migrations a database has run, and recording that one was."""
