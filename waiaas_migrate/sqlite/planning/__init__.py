"""Plan a migration: turn schema changes into steps that SQLite can run.

- ``transition`` is the input of a plan. ``plan`` returns all steps in order.
- ``table_plan`` chooses how to change a table: in place (``table_text``) or by a ``rebuild``.
- ``row_values``, ``full_text`` and ``foreign_key_steps`` plan the changes and guards of rows.
- ``actions`` defines the parts of a step, which templates render, and the messages of conditions that fail.
- ``plan_effects`` and ``sql_effects`` compute the ``effects`` of a migration for the manifest.
- ``unknown_names`` and ``stale_values`` find hazards in SQL: names that SQLite does not have, and removed enum values.
"""
