"""Read the enums that schema.yaml refers to, from Python, TypeScript, JSON or YAML.

For each language, a module turns a text into the same few expressions. Then :mod:`evaluate` finds their values. No code
is executed, unless a Python module computes the values of an enum: it is imported.
"""
