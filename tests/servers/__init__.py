"""Tests against servers that nobody here wrote."""
