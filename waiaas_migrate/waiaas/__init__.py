"""The enums and row ids of the WAIaaS application."""
