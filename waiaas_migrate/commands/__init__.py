"""The commands as library calls."""
