"""The commands: each a module with `add_arguments(parser)` and `run(options)`.

The docstring of the module is what `--help` says first.
"""
