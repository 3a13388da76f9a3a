"""The real code under random attack; `python -m tests.stateful --minutes N` does it for longer."""
