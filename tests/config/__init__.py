"""Tests of `vathos.config.settings`."""
