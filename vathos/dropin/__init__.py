"""What `requests` and `OAuth2Session` promise, and the fast path."""
