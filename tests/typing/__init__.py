"""Types: the public names as a user would use them, read by type checkers."""
