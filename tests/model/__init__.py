"""A model of the renewal protocol, explored state by state; `python -m tests.model` prints it."""
