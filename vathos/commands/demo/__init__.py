"""`vathos demo`: a job of many API calls that outlives its tokens, to be watched."""
