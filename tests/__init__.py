"""Tests of vathos."""
