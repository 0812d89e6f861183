"""yoyo's bookkeeping: which migrations a database has run, and writing that one was."""
