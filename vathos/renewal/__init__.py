"""One new token for all who wait."""
