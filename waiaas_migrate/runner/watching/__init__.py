"""Reports of how far a run has come, and requests to stop it."""
