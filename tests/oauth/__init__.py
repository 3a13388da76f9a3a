"""Tests of `vathos.oauth`."""
