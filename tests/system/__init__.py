"""Tests of `vathos.system`."""
