"""Print findings and errors in the formats of ``--format``."""
