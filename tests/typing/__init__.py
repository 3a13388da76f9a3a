"""Read by mypy, never run: the public names as a user would use them."""
