"""Print findings in the formats of ``--format``; each format for programs has its own module."""
