"""Dangers of a schema change.

To add a hazard, give it a code in ``hazard.py``, write its rule in the module of its family, and call the rule in
``find_hazards.py`` for the changes that it concerns. A test demands a section for the code in ``docs/hazards.md``.
"""
