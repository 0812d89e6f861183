"""What each command does, as a library call."""
