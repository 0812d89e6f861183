"""What the application shares with its schema: the enums, and the ids of its rows."""
