"""`vathos request`: one API call."""
