"""Find many databases, and work on them in parallel."""
