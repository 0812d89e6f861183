"""YAML 1.2 as text: read into trees that know where everything stands, and written."""
