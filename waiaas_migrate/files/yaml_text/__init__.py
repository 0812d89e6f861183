"""Read YAML 1.2 into a tree with the place of each value, and write YAML."""
