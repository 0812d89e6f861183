"""Read the enums that schema.yaml refers to, from Python, TypeScript, JSON or YAML.

A module for each language turns a text into the same few expressions, and :mod:`evaluate` finds their values. Nothing
is executed, except that a Python module is imported if it computes the values of an enum.
"""
