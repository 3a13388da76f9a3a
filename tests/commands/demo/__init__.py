"""Tests of `vathos.commands.demo`."""
