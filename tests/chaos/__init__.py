"""Hundreds of faults against many threads: `python -m tests.chaos --seconds 60 --seed 7`."""
