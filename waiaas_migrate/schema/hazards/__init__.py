"""Dangers of a schema change: one module for each family, and ``find_hazards`` to ask them all.

To add a hazard, give it a code in ``hazard.py`` and yield it in the module of its family. A new module is called from
``find_hazards.py``. ``docs/hazards.md`` needs a section for the code, which a test demands.
"""
