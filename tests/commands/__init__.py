"""The commands, and the files and variables they read."""
