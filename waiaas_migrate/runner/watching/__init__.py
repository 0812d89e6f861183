"""Report the progress of a run, and stop the run on request."""
