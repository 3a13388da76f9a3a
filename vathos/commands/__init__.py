"""The commands: one module for each, a folder for a big one.

Each has `add_arguments(parser)`, which describes its options, and `run(options)`, which does the
work and returns the exit status. The docstring of the module is the first part of its `--help`.
"""
