"""Generate a Python or TypeScript module with the enums of an application."""
