"""The hazards of a migration: it may lose data, or fail on existing rows.

To add a hazard, give it a code in ``hazard.py``, write its rule in the module of similar hazards (or a new one), and
call the rule in ``find_hazards.py`` for each kind of change that may have it. Tests require a change that shows the
hazard, and a section in ``docs/hazards.md``.
"""
