"""Back up a database to a file beside it, and restore a backup."""
