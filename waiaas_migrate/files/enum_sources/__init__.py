"""Read the enums that schema.yaml refers to, from Python, TypeScript, JSON or YAML.

For each language, a module turns a text into the same few expressions. Then :mod:`evaluate` finds their values. No code
is executed, except that a Python module is imported if it computes the values of an enum.
"""
