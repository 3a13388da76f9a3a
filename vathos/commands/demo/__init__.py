"""`vathos demo`: API calls that succeed while tokens expire, are revoked, and cannot be renewed."""
