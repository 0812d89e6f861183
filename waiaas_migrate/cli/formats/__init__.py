"""Print findings as programs want them; one module for each format."""
