"""How migrations reach a database, and what is proved before COMMIT."""
