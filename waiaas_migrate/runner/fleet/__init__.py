"""Many databases at once: which they are, and who works on them."""
