"""Input that others write, at random: `python -m tests.fuzz --minutes N` looks for more of it."""
