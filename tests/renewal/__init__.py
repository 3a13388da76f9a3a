"""Tests of `vathos.renewal.obtain`."""
