"""Tests of `vathos.commands.doctor`."""
