"""Read YAML 1.2 into a tree that knows the line and column of every value, and write YAML."""
