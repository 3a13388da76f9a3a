"""Tests of `vathos.commands.request`."""
