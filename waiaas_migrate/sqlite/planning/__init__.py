"""Turns schema changes into steps that SQLite can run. The plan is data; nothing here runs it.

- ``transition`` holds what a plan is made from, and ``plan`` puts all steps in order.
- ``table_plan`` chooses how to change a table: in place (``column_drop``, ``text_steps``) or by a ``rebuild``.
- ``row_values``, ``backfill_order``, ``full_text`` and ``foreign_key_steps`` take care of the rows.
- ``actions`` are what the steps consist of, and ``guards`` the conditions that stop them.
- ``plan_effects`` and ``sql_effects`` compute the ``effects`` of a migration for the manifest.
- ``unknown_names`` finds functions and collations that SQLite does not have.
"""
