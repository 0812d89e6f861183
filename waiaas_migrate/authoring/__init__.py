"""From a changed schema.yaml to a proved migration: declare, replay, compare, plan, prove, write."""
