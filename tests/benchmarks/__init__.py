"""Benchmarks against what else one could use, run by hand: `python -m tests.benchmarks`.

Without names all of them run and write `docs/guide/performance.md`; with names only those, and the
page stays as it is. They are not tests: a busy machine must not fail a build.
"""
