"""Threads and processes at once: the only tests that may wait."""
