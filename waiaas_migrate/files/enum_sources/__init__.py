"""Read the enums that schema.yaml refers to, in the language they are written in.

Each language has a module that turns a text into the same few expressions, and :mod:`evaluate` follows references
between them. Nothing is executed, except a Python module whose values are computed, which is imported.
"""
