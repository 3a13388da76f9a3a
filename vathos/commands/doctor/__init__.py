"""`vathos doctor`: finds what is wrong."""
