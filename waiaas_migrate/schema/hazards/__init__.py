"""Dangers of a schema change.

To add a hazard, give it a code in ``hazard.py``, write its rule in the module of its family (or a new one), and call
the rule in ``find_hazards.py`` for the changes that it concerns. Tests demand a change that shows the hazard, and a
section in ``docs/hazards.md``.
"""
