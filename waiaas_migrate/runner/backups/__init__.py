"""Copies of a database beside it, and putting one back."""
