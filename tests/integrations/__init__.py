"""What works with packages that only the extra `integrations` brings."""
