"""Tests of the embedded authorization server, with plain HTTP clients only."""
