"""Read YAML 1.2 into trees with the place of every value, and write it."""
