"""`vathos doctor`: checks everything that a token needs, and says how to fix what is wrong."""
