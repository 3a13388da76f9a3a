"""Tests that guard the house: floors, names, secrets, docs, style."""
